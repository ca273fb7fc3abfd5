//! Faults while working.
