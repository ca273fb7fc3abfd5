"""HALO and LODI in PyTorch, from the safetensors files alone, against Halodi: maps and seconds.

    pip install numpy scipy h5py safetensors torch
    halodi predict SNAPSHOT --steps 12 --seed 7 --overlap shared-noise --out DIR [--weights WEIGHTS]
    python benches/peers/torch_forward.py WEIGHTS DIR/map.hdf5 --steps 12 --seed 7 [--device cuda --batch 16]

WEIGHTS holds halo.safetensors and lodi.safetensors (assets/weights by default). Everything is
computed anew here: transforms, connected components, tiles, noise (Philox, correlated), U-Nets,
conditional mean, calibrated estimates, residuals, sampler. Exits with 1 where maps differ by more
than 1e-4 (rms).
"""

import argparse

import h5py
import numpy as np
import torch

from torch_chain import Chain, correlated


def philox(counter, seed):
    """Philox4x32-10 of four arrays of words."""
    low, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    c, key = counter, [np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)]
    for turn in range(10):
        if turn > 0:
            key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> low) ^ c[1] ^ key[0], p1 & mask, (p0 >> low) ^ c[3] ^ key[1], p0 & mask]
    return c


def philox_normals(count, seed, stream=0):
    """Halodi's noise of a stream: Philox at the counter of each four voxels."""
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    low, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    c = philox([blocks & mask, blocks >> low, np.full_like(blocks, stream), np.zeros_like(blocks)], seed)
    out = np.empty((len(blocks), 4))
    for i in (0, 2):
        radius = np.sqrt(-2 * np.log((c[i] + 1.0) / 2**32))
        angle = 2 * np.pi * c[i + 1] / 2**32
        out[:, i], out[:, i + 1] = radius * np.cos(angle), radius * np.sin(angle)
    return out.ravel()[:count].astype(np.float32)


def difference(name, ours, theirs, floor=0.0):
    """Over the map, or over the `floor` that its decades stand on: an empty map is what they round to there."""
    rms = lambda values: np.sqrt((values.astype(np.float64) ** 2).mean())
    relative, largest = rms(ours - theirs) / max(rms(theirs), floor), np.abs(ours - theirs).max() / max(theirs.max(), floor)
    print(f"{name}: relative difference {relative:.2e} (rms), largest {largest:.2e}")
    return relative


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("weights")
    arguments.add_argument("map")
    arguments.add_argument("--steps", type=int, default=12)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--batch", type=int, default=1)
    arguments.add_argument("--save", help="write the map of PyTorch to this .npy, as tests/it/pytorch.npy was")
    arguments = arguments.parse_args()
    torch.set_grad_enabled(False)
    chain = Chain(arguments.weights, arguments.device)
    with h5py.File(arguments.map) as file:
        header = dict(file.attrs)
        matter = file["dark_matter"][...]
        halo_mass = [file[f"halo_mass_{i}"][...] for i in range(1, 5)]
        mean = file["conditional_mean_brightness_temperature"][...]
        painted = file["brightness_temperature"][...].astype(np.float64)
    n = len(matter)
    maps = chain.halo_maps(matter, header, arguments.batch)
    worst = [
        # An empty map is what it rounds to, above a thousandth of the mean density.
        difference(f"HALO, bin {i + 1}", maps[i], halo_mass[i].astype(np.float64), 1e8)
        for i in range(4)
    ]
    channels, expected = chain.conditional_mean(matter, maps.astype(np.float32), header, arguments.batch)
    worst.append(difference("conditional mean", expected, mean.astype(np.float64)))
    noise = correlated(philox_normals(n**3, arguments.seed).reshape(n, n, n), chain.lodi.config["noise"])
    ours = chain.paint(channels, expected, noise, arguments.steps, arguments.batch)
    worst.append(difference("LODI, brightness temperature", ours, painted))
    if arguments.save:
        np.save(arguments.save, np.asarray(ours, dtype=np.float32))
    for part, seconds in chain.seconds.items():
        print(f"{part}: {seconds:.2f} s")
    raise SystemExit(int(max(worst) > 1e-4))


main()
