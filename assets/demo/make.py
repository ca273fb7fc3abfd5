"""Make the embedded demo snapshot from a GADGET-4 one.

    pip install h5py numpy
    python assets/demo/make.py SNAPSHOT.hdf5 assets/demo/gadget4_dm64_L12p5_z1.hdf5

Keeps the dark matter's positions, rounded to 1 kpc/h (a two-hundredth of a
voxel), and everything in the header; leaves out velocities and identifiers.
"""

import sys

import h5py
import numpy as np

source, target = sys.argv[1:]
with h5py.File(source) as old, h5py.File(target, "w", libver="v108") as new:
    for group in ("Header", "Parameters"):
        if group in old:
            made = new.create_group(group)
            for key, value in old[group].attrs.items():
                made.attrs[key] = value
    box = float(old["Header"].attrs["BoxSize"])
    positions = np.rint(old["PartType1/Coordinates"][:].astype(np.float64)) % box
    cells = np.floor(positions / box * 64).astype(np.int64)
    order = np.lexsort((positions[:, 2], cells[:, 2], cells[:, 1], cells[:, 0]))
    new.create_dataset(
        "PartType1/Coordinates",
        data=positions[order].astype(np.float32),
        chunks=(1 << 16, 3),
        compression="gzip",
        compression_opts=9,
        shuffle=True,
    )
