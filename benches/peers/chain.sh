#!/usr/bin/env bash
# The chain and the same weights in PyTorch, one after the other on the same cores: seconds of each
# part, and how far the maps are apart.
#
#     pip install numpy scipy h5py safetensors torch
#     benches/peers/chain.sh [SNAPSHOT|--demo] [cpu|cuda]
#
# HALODI is the program (halodi by default), WEIGHTS a folder with both networks. With cuda,
# Halodi runs on the GPU, too.
set -euo pipefail
cd "$(dirname "$0")/../.."
source=${1:---demo}
device=${2:-cpu}
weights=${WEIGHTS:-assets/weights}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
case $device in cuda) own=gpu batch=16 ;; *) own=cpu batch=1 ;; esac
echo "Halodi, $own:"
# Tiles that never move, in noise of the whole box, are what the script in PyTorch paints.
"${HALODI:-halodi}" predict "$source" --steps 12 --seed 7 --overlap shared-noise --device "$own" \
    --weights "$weights" --out "$out" 2>&1 | grep "^Dark-matter field"
echo "PyTorch, $device:"
OMP_NUM_THREADS=$(nproc) python3 benches/peers/torch_forward.py "$weights" "$out/map.hdf5" \
    --steps 12 --seed 7 --device "$device" --batch "$batch"
