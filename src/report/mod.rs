//! What a finished job leaves behind besides its map: figures and a report.
