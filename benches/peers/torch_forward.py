"""HALO and LODI in PyTorch, from the safetensors files alone, against Halodi.

    pip install numpy scipy h5py safetensors torch
    halodi predict --demo --steps 1 --seed 7 --out DIR [--weights WEIGHTS]
    python benches/peers/torch_forward.py WEIGHTS DIR/map.hdf5 7

WEIGHTS holds halo.safetensors and lodi.safetensors (assets/weights by default).
With one denoising step the map is LODI's estimate from pure noise, so the file
tells what the networks answered. Everything is computed anew here: transforms,
regions, tiles, noise (Philox, coloured, balanced), U-Nets, local relation, HI of haloes, corrected estimates and
departures from the expected map.
"""

import json
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open

from torch_networks import UNet, forward, halo_channels, labels, region_channels


def tensors(path, prefix):
    """The tensors of a file whose names begin so, by the rest of their names."""
    with safe_open(path, "pt") as file:
        return {name.removeprefix(prefix): file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}


def network(path):
    """The U-Net of a file."""
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["halodi.config"])
    return UNet(config, tensors(path, "net."))


def philox_normals(count, seed, stream=0):
    """Halodi's noise of a stream: Philox4x32-10 at the counter of each four voxels."""
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    low, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    c = [blocks & mask, blocks >> low, np.full_like(blocks, stream), np.zeros_like(blocks)]
    key = [np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)]
    for turn in range(10):
        if turn > 0:
            key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> low) ^ c[1] ^ key[0], p1 & mask, (p0 >> low) ^ c[3] ^ key[1], p0 & mask]
    out = np.empty((len(blocks), 4))
    for i in (0, 2):
        radius = np.sqrt(-2 * np.log((c[i] + 1.0) / 2**32))
        angle = 2 * np.pi * c[i + 1] / 2**32
        out[:, i], out[:, i + 1] = radius * np.cos(angle), radius * np.sin(angle)
    return out.ravel()[:count].astype(np.float32)


def coloured(white, colour):
    """Noise of LODI's colour: part of it white, the rest smoothed with a Gaussian."""
    n = len(white)
    axis = np.exp(-((2 * np.pi * np.fft.fftfreq(n) * colour["radius"]) ** 2))
    smooth = axis[:, None, None] * axis[:, None] * axis / axis.mean() ** 3
    spectrum = 1 - colour["smooth"] + colour["smooth"] * smooth
    return np.fft.ifftn(np.fft.fftn(white) * np.sqrt(spectrum)).real.astype(np.float32)


def balanced(noise, weight, colour):
    """Noise on the condition that its weighted sum is nothing."""
    together = coloured(coloured(weight, colour), colour).astype(np.float64)
    return (noise - (weight * noise).sum() / (weight * together).sum() * together).astype(np.float32)


def origins(n, tile):
    return [(x, y, z) for x in range(0, n, tile) for y in range(0, n, tile) for z in range(0, n, tile)]


def cut(field, origin, side, context=0):
    index = [np.arange(o - context, o + side + context) % len(field) for o in origin]
    return field[np.ix_(*index)]


def put(field, origin, window):
    x, y, z = origin
    side = window.shape[-1]
    field[..., x : x + side, y : y + side, z : z + side] = window


def context_of(network):
    multiple = network.net["patch"] << (len(network.net["channels"]) - 1)
    return -(-network.config["context"] // multiple) * multiple


def smooth(field):
    """A Gaussian of one voxel: binomial weights of five, along each axis."""
    for axis in range(3):
        field = sum(w / 16 * np.roll(field, s, axis) for w, s in zip((1, 4, 6, 4, 1), range(-2, 3)))
    return field


def knots(expected):
    """Where expected temperatures lie among the knots of LODI's tables."""
    return np.clip((np.log10(np.maximum(expected, 0) + 0.1) + 1) / 0.25, 0, 18)


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


def surrounding_channels(config, matter):
    """The density smoothed with Gaussians."""
    for radius in config["radii"]:
        axis = np.exp(-0.5 * (2 * np.pi * np.fft.fftfreq(len(matter)) * radius) ** 2)
        gaussian = axis[:, None, None] * axis[:, None] * axis
        yield forward(config["density"], np.fft.ifftn(np.fft.fftn(matter) * gaussian).real)


def voxelwise(w, x):
    """A network of one convolution of 3³ and two of a voxel, by its tensors; one voxel less at every face."""
    for name in ("neighbours", "hidden"):
        x = F.silu(F.conv3d(x, w[f"{name}.weight"], w[f"{name}.bias"]))
    return F.conv3d(x, w["output.weight"], w["output.bias"])


def refined(w, coarse, matter):
    """HALO's answer, voxel by voxel."""
    x = voxelwise(w, torch.cat([(coarse + 4) / 4, matter], dim=1))
    return torch.log_softmax(coarse[:, :, 1:-1, 1:-1, 1:-1] + x, dim=1)


def difference(name, ours, theirs):
    relative = np.sqrt(((ours - theirs) ** 2).sum() / (theirs**2).sum())
    print(f"{name}: relative difference {relative:.2e} (rms), largest {np.abs(ours - theirs).max() / theirs.max():.2e}")
    return relative


def held(expected, matter, relation, voxel_mass, temperature):
    """The map with haloes that hold what their mass says; `temperature` is that of a voxel
    with a unit of HI."""
    label = labels(matter, relation["threshold"])
    sums = lambda values: np.bincount(label.ravel(), values.ravel().astype(np.float64))
    mass, hydrogen = sums(matter) * voxel_mass, sums(expected) / temperature
    least, most = relation["range"]
    x = np.log(np.maximum(mass, 1) / 1e12)
    last = np.minimum(x, np.log(most / 1e12))
    constant, slope, curvature = relation["log_hydrogen"]
    wanted = np.exp(constant + slope * last + curvature * last**2 + (slope + 2 * curvature * last) * (x - last))
    is_halo = (mass >= least) & (hydrogen > 0) & (np.arange(len(mass)) > 0)
    return expected * np.where(is_halo, wanted / np.where(is_halo, hydrogen, 1), 1)[label]


def main():
    folder, path, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_grad_enabled(False)
    halo, lodi = network(f"{folder}/halo.safetensors"), network(f"{folder}/lodi.safetensors")
    refinement = tensors(f"{folder}/halo.safetensors", "refinement.")
    expectation = tensors(f"{folder}/lodi.safetensors", "expectation.net.")
    with h5py.File(path) as file:
        header = dict(file.attrs)
        # What gave the map its power; a number that is said, not found anew.
        amplitude = json.loads(header["provenance"])["amplitude"]
        matter = file["dark_matter"][...]
        maps = [file[f"halo_mass_{i}"][...] for i in range(1, 5)]
        painted = file["brightness_temperature"][...].astype(np.float64)
    n = len(matter)
    omega_m, omega_lambda, h, z = (float(header[k]) for k in ("Omega0", "OmegaLambda", "HubbleParam", "Redshift"))
    worst = []

    tile, context = halo.config["tile"], context_of(halo)
    mean = omega_m * 2.77536627e11
    # Where the smallest haloes lie by chance, in the maps that HALO paints.
    chance = coloured(philox_normals(n**3, seed, stream=3).reshape(n, n, n), halo.config["chance"])
    voxel_mass = mean * (float(header["BoxSize"]) / n) ** 3
    seen = halo_channels(halo.config, matter, voxel_mass)
    # The maps, and what LODI is told.
    ours, condition = np.zeros((2, 4, n, n, n))
    for o in origins(n, tile):
        window = torch.from_numpy(np.stack([cut(channel, o, tile, context) for channel in seen]))[None]
        coarse = torch.log_softmax(halo(window), dim=1)
        near = (..., *(slice(context - 1, 1 - context),) * 3)
        log_probabilities = refined(refinement, coarse[near], window[:, :1][near])[0]
        for field, name in (ours, "decision"), (condition, "condition"):
            per_class = halo.config[name]
            sharpness, bias, scatter = (
                torch.tensor(per_class[k])[:, None, None, None] for k in ("sharpness", "bias", "scatter")
            )
            decided = log_probabilities * sharpness + bias + scatter * torch.from_numpy(cut(chance, o, tile))
            fractions = torch.softmax(decided, dim=0)[:4].numpy()
            put(field, o, fractions * cut(matter, o, tile) * mean)
    for i in range(4):
        worst.append(difference(f"HALO, bin {i + 1}", ours[i], maps[i].astype(np.float64)))
    maps = condition.astype(np.float32)

    # Villaescusa-Navarro et al. 2018: T_b = 189 h H0/H(z) (1 + z)² Ω_HI mK.
    scale = 189 * h * (1 + z) ** 2 / np.sqrt(omega_m * (1 + z) ** 3 + omega_lambda)
    config = lodi.config["expectation"]
    fractions = config["relation"]["hydrogen_fraction"]
    local = sum(f * m.astype(np.float64) for f, m in zip(fractions, maps)) * scale / 2.77536627e11
    transforms = config["condition"]
    channels = [forward(t, m) for t, m in zip(transforms, [*maps, matter, local])]
    seen = [*channels, *region_channels(config["regions"], matter, voxel_mass)]
    seen += surrounding_channels(config["surroundings"], matter)
    expected = np.zeros((n, n, n))
    for o in origins(n, 32):
        window = torch.from_numpy(np.stack([cut(f, o, 32, 1) for f in seen]))[None]
        factor = voxelwise(expectation, window)[0, 0].numpy().clip(-10, 10)
        put(expected, o, (cut(local, o, 32) + 0.01) * np.exp(factor))
    expected = held(expected, matter, config["haloes"], voxel_mass, scale / 2.77536627e11 * mean / voxel_mass)
    channels[-1] = forward(transforms[-1], expected)
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
    ours = anchored(np.maximum(mean + amplitude * deviation * clean, 0) ** 2, expected)
    worst.append(difference("LODI, brightness temperature", ours, painted))
    sys.exit(int(max(worst) > 1e-4))


main()
