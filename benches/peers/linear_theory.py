"""A large simulated box against linear theory and its own initial modes.

    pip install numpy
    halodi simulate --box 200 --redshift 40 1 --out DIR
    halodi spectrum DIR/snapshot_001.hdf5 --cross DIR/snapshot_000.hdf5 --grid 128 --csv > z1.csv
    python benches/peers/linear_theory.py z1.csv 40 1

The box's own modes at the earlier redshift, scaled by the linear growth factor
(computed here by quadrature, independently of Halodi), take cosmic variance out.
"""

import sys

import numpy as np

OMEGA_M = 0.3


def growth(z):
    a = np.linspace(1e-6, 1 / (1 + z), 200_001)
    e = np.sqrt(OMEGA_M / a**3 + 1 - OMEGA_M)
    return e[-1] * np.trapezoid((a * e) ** -3.0, a)


rows = [line for line in open(sys.argv[1]) if not line.startswith("#")]
table = np.array([[float(v) for v in row.split(",")] for row in rows[1:]])
k, p, early, r, transfer = table[:, 0], table[:, 1], table[:, 4], table[:, 5], table[:, 6]
d = growth(float(sys.argv[3])) / growth(float(sys.argv[2]))
print(f"linear growth from z = {sys.argv[2]} to {sys.argv[3]}: {d:.4f}")
print("k [h/Mpc]   P/(D² P_early)   cross growth/D   r")
for i in np.flatnonzero(k < 0.3):
    print(f"{k[i]:.4f}      {p[i] / (d * d * early[i]):.4f}           {r[i] * transfer[i] / d:.4f}         {r[i]:.4f}")
