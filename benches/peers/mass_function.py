"""The halo mass function of Halodi's boxes against Tinker et al. (2008) and
Despali et al. (2016).

    pip install h5py numpy colossus
    python benches/peers/mass_function.py haloes.hdf5 [haloes.hdf5 ...]

The catalogues are those of 'halodi reference --catalogue' (friends-of-friends,
b = 0.2). Friends-of-friends masses are no spherical overdensities: at b = 0.2
they are nearest to 200 times the mean density, and to the virial overdensity.
"""

import sys

import h5py
import numpy as np
from colossus.cosmology import cosmology
from colossus.lss import mass_function

cosmology.setCosmology(
    "camels", params=dict(flat=True, H0=67.11, Om0=0.3, Ob0=0.049, sigma8=0.834, ns=0.9624), persistence=""
)
masses, volume = [], 0.0
for path in sys.argv[1:]:
    with h5py.File(path) as file:
        masses.append(file["Group/GroupMass"][:].astype(float) * 1e10)
        volume += (file["Header"].attrs["BoxSize"] / 1e3) ** 3
        redshift = float(file["Header"].attrs["Redshift"])
masses = np.concatenate(masses)
edges = np.logspace(10.2, 14.2, 13)
middle = np.sqrt(edges[1:] * edges[:-1])
count, _ = np.histogram(masses, edges)
width = np.log(edges[1] / edges[0])
ours = count / volume / width


def model(name, definition):
    return mass_function.massFunction(middle, redshift, mdef=definition, model=name, q_out="dndlnM")


tinker, despali = model("tinker08", "200m"), model("despali16", "vir")
print(f"{len(masses)} haloes in {volume:.0f} (Mpc/h)^3 at z = {redshift:.2f}")
print("M [Msun/h]   N     dn/dlnM     /Tinker08  /Despali16  1/sqrt(N)")
for m, n, d, t, s in zip(middle, count, ours, tinker, despali):
    if n:
        print(f"{m:.3e} {n:5d}  {d:.3e}   {d / t:6.3f}     {d / s:6.3f}     {n ** -0.5:.3f}")
