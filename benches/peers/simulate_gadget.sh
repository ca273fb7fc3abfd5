#!/bin/sh
# The simulator against GADGET-4 from the same particles: its z = 3 snapshot taken
# to z = 1 and compared with its own z = 1 snapshot.
#
#     benches/peers/simulate_gadget.sh Z3.hdf5 Z1.hdf5
#
# Prints k, P, Δ², modes, P of GADGET-4, r(k) and T(k) = √(P/P of GADGET-4).
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
halodi simulate --from "$1" --redshift 1 --out "$out"
halodi spectrum "$out/snapshot_000.hdf5" --cross "$2" --grid 128
