"""Halodi's friends-of-friends haloes against GADGET-4's, one to one.

    pip install h5py numpy scipy
    halodi reference SNAPSHOT --out map.hdf5 --model haloes --catalogue haloes.hdf5
    python benches/peers/halo_catalogue.py haloes.hdf5 GADGET_FOF.hdf5

Every GADGET halo is matched with the nearest of ours (periodic); prints how many
agree in mass to 1 % and the largest difference.
"""

import sys

import h5py
import numpy as np
from scipy.spatial import cKDTree

ours, theirs = (h5py.File(path) for path in sys.argv[1:3])
box = float(ours["Header"].attrs["BoxSize"])


def groups(file):
    group = file["Group"]
    mass = group["GroupMass"][:]
    return mass, group["GroupPos"][:].astype(float) % box


(mass, place), (mass_gadget, place_gadget) = groups(ours), groups(theirs)
distance, index = cKDTree(place, boxsize=box).query(place_gadget)
ratio = mass[index] / mass_gadget - 1
unique = len(np.unique(index))
within = np.abs(ratio) < 0.01
print(f"haloes: ours {len(mass)}, GADGET {len(mass_gadget)}; matched one to one: {unique}")
print(f"mass within 1 %: {within.sum()} of {len(ratio)}; largest difference {100 * np.abs(ratio).max():.3f} %")
print(f"distance of centres: median {np.median(distance):.3f}, largest {distance.max():.3f} kpc/h")
