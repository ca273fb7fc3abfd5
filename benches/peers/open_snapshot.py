"""A snapshot written by 'halodi simulate', opened by yt and pynbody without help:
both must see the same box, redshift, masses and positions.

    pip install yt pynbody
    python benches/peers/open_snapshot.py snapshot_000.hdf5
"""

import sys

import h5py
import numpy as np
import pynbody
import yt

path = sys.argv[1]
yt.set_log_level("error")
with h5py.File(path) as file:
    header = dict(file["Header"].attrs)
    count = header["NumPart_Total"][1]
    total = count * header["MassTable"][1] * 1e10
    x = file["PartType1/Coordinates"][0]

ds = yt.load(path)
side = float(ds.domain_width[0].to("Mpccm/h"))
mass = float(ds.all_data()["PartType1", "particle_mass"].sum().to("Msun/h"))
print(f"yt      {ds.dataset_type}: box {side:.4f} Mpccm/h, z = {ds.current_redshift:.4f}, mass {mass / total:.6f} of the header's")
assert abs(side * 1e3 / header["BoxSize"] - 1) < 1e-4 and abs(mass / total - 1) < 1e-3

s = pynbody.load(path)
side = s.properties["boxsize"].in_units("kpc a h^-1", **s.conversion_context())
mass = float(s.dm["mass"].sum().in_units("Msol h^-1", **s.conversion_context()))
first = s.dm["pos"][np.argmin(s.dm["iord"])].in_units("kpc a h^-1", **s.conversion_context())
print(f"pynbody {type(s).__name__}: box {side:.1f} kpc/h, z = {s.properties['z']:.4f}, mass {mass / total:.6f} of the header's")
assert abs(side / header["BoxSize"] - 1) < 1e-4 and abs(mass / total - 1) < 1e-3 and np.allclose(first, x, atol=1)
print("both agree")
