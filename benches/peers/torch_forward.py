"""HALO and LODI in PyTorch, from the safetensors files alone, against Halodi.

    pip install numpy scipy h5py safetensors torch
    halodi predict --demo --steps 1 --seed 7 --out DIR [--weights WEIGHTS]
    python benches/peers/torch_forward.py WEIGHTS DIR/map.hdf5 7

WEIGHTS holds halo.safetensors and lodi.safetensors (assets/weights by default).
With one denoising step the map is LODI's estimate from pure noise, so the file
tells what the networks answered. Everything is computed anew here: transforms,
regions, clumps and what they weigh, tiles, noise (Philox, coloured, balanced), U-Nets, local relation, HI of
haloes, corrected estimates and departures from the expected map.
"""

import sys

import h5py
import numpy as np
import torch

from torch_chain import Chain, coloured, cut, knots, origins, put


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


def balanced(noise, weight, colour):
    """Noise on the condition that its weighted sum is nothing."""
    together = coloured(coloured(weight, colour), colour).astype(np.float64)
    return (noise - (weight * noise).sum() / (weight * together).sum() * together).astype(np.float32)


def smooth(field):
    """A Gaussian of one voxel: binomial weights of five, along each axis."""
    for axis in range(3):
        field = sum(w / 16 * np.roll(field, s, axis) for w, s in zip((1, 4, 6, 4, 1), range(-2, 3)))
    return field


def corrected(estimate, expected, config):
    """The estimate from pure noise, set right: the tables' last level."""
    table = np.array(config["correction"]["levels"][-1])
    weight = np.sqrt(np.maximum(expected, 0) + 1e-3)
    mean = smooth(estimate * weight) / smooth(weight)
    offset, gain, about = (np.interp(knots(expected), np.arange(19), table[:, i]) for i in range(3))
    return (estimate + offset + gain * estimate + about * mean).clip(*config["data_range"])


def anchored(painted, expected):
    """The painted map held at the expected one, shell by shell of wavenumbers."""
    n = len(expected)
    axis = np.fft.fftfreq(n, 1 / n)
    shell = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).astype(int).ravel()
    modes, of_painted = np.fft.fftn(expected), np.fft.fftn(painted)
    cross = np.bincount(shell, (of_painted * modes.conj()).real.ravel())
    power = np.bincount(shell, (np.abs(modes) ** 2).ravel())
    missing = (1 - cross / power)[shell].reshape(n, n, n)
    held = np.maximum(painted + np.fft.ifftn(missing * modes).real * expected / (expected + 1), 0)
    faint = 1 / (1 + expected / 3)
    excess = np.clip((held.mean() - expected.mean()) / (held * faint).mean(), -1, 1)
    return held * (1 - excess * faint)


def conditioned(painted, expected, halo, variance, box_size):
    """The map whose haloes are changed for it to have the power that the expected one implies."""
    n, inside, count = len(painted), halo >= 0, halo.max() + 1
    axis = np.fft.fftfreq(n, 1 / n)
    shell = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).astype(int)
    modes = np.bincount(shell.ravel())
    power = lambda f: np.bincount(shell.ravel(), (np.abs(np.fft.fftn(f)) ** 2).ravel()) / modes
    sums = lambda f: np.bincount(halo[inside], f[inside], count)
    wanted = power(expected)
    for index in range(8):
        words = [w.astype(np.uint64) for w in (np.arange(count), *(np.full(count, i) for i in (index, 7, 0)))]
        sign = np.where(philox(words, 0)[0] & np.uint64(1) == 0, 1.0, -1.0)
        wanted = wanted + variance / 8 * power(np.where(inside, expected * sign[halo], 0))
    # Shells whose mean wavenumber is at most 10 h/Mpc, and their bands.
    length = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    k = np.bincount(shell.ravel(), length.ravel()) / modes * 2 * np.pi / box_size
    last = min(int((k[1:] <= 10).sum()), int((k[1:] <= np.pi * n / box_size).sum()))
    per_log = 11 / np.log((last + 1) / 6)
    band = np.full(len(modes), -1)
    for s in range(last):
        band[s + 1] = s if s < 5 else min(int(5 + int(per_log * np.log((s + 1) / 6))), 15)
    of = [np.flatnonzero(band == b) for b in range(16)]
    share = sums(painted) / sums(painted).sum()
    change, ours = np.zeros(count), painted
    for _ in range(5):
        modes_of, transform = power(ours), np.fft.fftn(ours)
        missing, slopes = [], []
        for shells in of:
            all_modes = max(modes[shells].sum(), 1)
            missing.append((modes[shells] * (1 - modes_of[shells] / wanted[shells])).sum() / all_modes)
            weight = np.zeros(len(modes))
            # A change of a mode and of its conjugate.
            weight[shells] = 2 / (wanted[shells] * all_modes)
            slopes.append(sums(np.fft.ifftn(transform * weight[shell]).real * n**3 * painted))
        slopes, missing = np.array([*slopes, share]), np.array([*missing, -(share * change).sum()])
        normal = 0.09 * slopes @ slopes.T + 1e-4 * np.eye(17)
        change = (0.09 * slopes.T @ np.linalg.solve(normal, missing + slopes @ change)).clip(-0.8, 2)
        ours = painted * np.where(inside, 1 + change[halo], 1)
    return ours


def difference(name, ours, theirs, floor=0.0):
    """Over the map, or over the `floor` that its decades stand on: an empty map is what they round to there."""
    rms = lambda values: np.sqrt((values.astype(np.float64) ** 2).mean())
    relative, largest = rms(ours - theirs) / max(rms(theirs), floor), np.abs(ours - theirs).max() / max(theirs.max(), floor)
    print(f"{name}: relative difference {relative:.2e} (rms), largest {largest:.2e}")
    return relative


def main():
    folder, path, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_grad_enabled(False)
    chain = Chain(folder)
    lodi, config = chain.lodi, chain.lodi.config
    with h5py.File(path) as file:
        header = dict(file.attrs)
        matter = file["dark_matter"][...]
        maps = [file[f"halo_mass_{i}"][...] for i in range(1, 5)]
        painted = file["brightness_temperature"][...].astype(np.float64)
    n = len(matter)
    worst = []

    # Where the smallest haloes lie by chance, in the maps that HALO paints.
    chance = coloured(philox_normals(n**3, seed, stream=3).reshape(n, n, n), chain.halo.config["chance"])
    # The maps, and what LODI is told.
    ours, condition = chain.halo_maps(matter, header, chance, ("decision", "condition"))
    for i in range(4):
        floor = chain.halo.config["halo_mass"][i]["floor"]
        worst.append(difference(f"HALO, bin {i + 1}", ours[i], maps[i].astype(np.float64), floor))
    channels, expected, halo = chain.expected(matter, condition.astype(np.float32), header)
    root, departure = np.sqrt(expected + 0.1), lodi.config["departure"]
    mean, deviation = (root * np.interp(knots(expected), np.arange(19), departure[k]) for k in ("mean", "deviation"))
    colour, weight = lodi.config["noise"], expected * mean * deviation
    noise = balanced(coloured(philox_normals(n**3, seed).reshape(n, n, n), colour), weight / weight.max(), colour)
    gamma = lodi.config["schedule"]["gamma_max"]
    alpha, sigma = (1 / (1 + np.exp(gamma))) ** 0.5, (1 / (1 + np.exp(-gamma))) ** 0.5
    clean = np.zeros((n, n, n))
    tile = lodi.config["tile"]
    for o in origins(n, tile):
        window = np.stack([cut(f, o, tile) for f in [noise, *channels]]).astype(np.float32)
        velocity = lodi(torch.from_numpy(window)[None], torch.ones(1))[0, 0].numpy()
        put(clean, o, alpha * window[0] - sigma * velocity)
    clean = corrected(clean.clip(*lodi.config["data_range"]), expected, lodi.config)
    painted_by_us = anchored(np.maximum(mean + deviation * clean, 0) ** 2, expected)
    ours = conditioned(painted_by_us, expected, halo, config["expectation"]["haloes"]["variance"], float(header["BoxSize"]))
    worst.append(difference("LODI, brightness temperature", ours, painted))
    sys.exit(int(max(worst) > 1e-4))


main()
