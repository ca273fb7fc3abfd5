"""Compare `halodi spectrum` with Pylians (MASL.MA + PKL.Pk) bin by bin.

Run: pip install Pylians h5py hdf5plugin, then
    python benches/peers/pylians_spectrum.py SNAPSHOT [--grid 128] [--halodi target/release/halodi]

The snapshot must be in kpc/h (Pylians assumes it). Prints the largest relative
difference in k and P over all shells up to the Nyquist wavenumber and exits
with 1 if P differs by more than 0.1 % anywhere.
"""

import argparse
import json
import subprocess
import sys

import h5py
import MAS_library as MASL
import numpy as np
import Pk_library as PKL

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("snapshot")
parser.add_argument("--grid", type=int, default=128)
parser.add_argument("--halodi", default="halodi")
arguments = parser.parse_args()

worst = 0.0
for scheme in ("NGP", "CIC", "TSC", "PCS"):
    with h5py.File(arguments.snapshot) as snapshot:
        box = float(np.ravel(snapshot["Header"].attrs["BoxSize"])[0]) / 1e3
        positions = (snapshot["PartType1/Coordinates"][:] / 1e3).astype(np.float32)
    delta = np.zeros((arguments.grid,) * 3, dtype=np.float32)
    MASL.MA(positions, delta, box, scheme, verbose=False)
    delta = delta / np.mean(delta, dtype=np.float64) - 1.0
    peer = PKL.Pk(delta.astype(np.float32), box, 0, scheme, 2, False)

    command = [arguments.halodi, "spectrum", arguments.snapshot, "--json"]
    command += ["--grid", str(arguments.grid), "--assignment", scheme.lower()]
    ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["spectrum"]

    k, power, modes = (np.array(ours[name]) for name in ("k", "power", "modes"))
    shells = int(np.sum(k <= ours["k_nyquist"]))
    ratio = np.abs(power[:shells] / peer.Pk[:shells, 0] - 1.0)
    ratio_k = np.abs(k[:shells] / peer.k3D[:shells] - 1.0)
    same_modes = np.array_equal(modes[:shells], peer.Nmodes3D[:shells].astype(int))
    worst = max(worst, float(ratio.max()))
    print(
        f"{scheme}: {shells} shells, max |P/P_peer - 1| = {ratio.max():.2e} at k = {k[ratio.argmax()]:.3f} h/Mpc, "
        f"max |k/k_peer - 1| = {ratio_k.max():.2e}, mode counts {'equal' if same_modes else 'differ'}"
    )
sys.exit(worst > 1e-3)
