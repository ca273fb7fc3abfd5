"""From dark matter to what LODI is told, in PyTorch, from the safetensors files alone."""

import json

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open

from torch_networks import UNet, forward, halo_channels, region_channels


def tensors(path, prefix):
    """The tensors of a file whose names begin so, by the rest of their names."""
    with safe_open(path, "pt") as file:
        return {name.removeprefix(prefix): file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}


def network(path, device="cpu"):
    """The U-Net of a file."""
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["halodi.config"])
    return UNet(config, {name: tensor.to(device) for name, tensor in tensors(path, "net.").items()})


def coloured(white, colour):
    """Noise of LODI's colour: part of it white, the rest smoothed with a Gaussian."""
    n = len(white)
    axis = np.exp(-((2 * np.pi * np.fft.fftfreq(n) * colour["radius"]) ** 2))
    smooth = axis[:, None, None] * axis[:, None] * axis / axis.mean() ** 3
    spectrum = 1 - colour["smooth"] + colour["smooth"] * smooth
    return np.fft.ifftn(np.fft.fftn(white) * np.sqrt(spectrum)).real.astype(np.float32)


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


def knots(expected):
    """Where expected temperatures lie among the knots of LODI's tables."""
    return np.clip((np.log10(np.maximum(expected, 0) + 0.1) + 1) / 0.25, 0, 18)


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


def clumps(matter, threshold, edge):
    """The clump of every voxel (-1 below the threshold), the clumps' masses, and how they join:
    the saddle, the two groups by their highest clumps. By descending density."""
    n, flat = len(matter), matter.ravel()
    above = np.flatnonzero(flat >= threshold)
    clump, parent, masses, joins = np.full(flat.size, -1), [], [], []

    def root(a):
        while parent[a] != a:
            a = parent[a]
        return a

    for voxel in above[np.argsort(-flat[above], kind="stable")]:
        x, y, z = np.unravel_index(voxel, matter.shape)
        around = []
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)):
            place = [x, y, z]
            place[axis] = (place[axis] + step) % n
            near = np.ravel_multi_index(place, matter.shape)
            if clump[near] >= 0:
                around.append(near)
        if around:
            own = clump[max(around, key=lambda near: flat[near])]
        else:
            own = len(parent)
            parent.append(own)
            masses.append(0.0)
        clump[voxel] = own
        if flat[voxel] >= edge:
            masses[own] += float(flat[voxel])
        for near in around:
            a, b = sorted((root(own), root(clump[near])))
            if a != b:
                joins.append((float(flat[voxel]), a, b))
                parent[b] = a
    return clump.reshape(matter.shape), np.array(masses), joins


def hydrogen(relation, mass):
    """HI of a halo, both in Msun/h."""
    x = np.log(np.maximum(mass, 1e-30) / 1e12)
    last = np.minimum(x, np.log(relation["range"][1] / 1e12))
    constant, slope, curvature = relation["log_hydrogen"]
    log = constant + slope * last + curvature * last**2 + (slope + 2 * curvature * last) * (x - last)
    return np.where(mass > 0, np.exp(log), 0.0)


def mean_of_mass(linking, masses, joins, of_mass):
    """The mean, for every clump, of what is said of its halo by the halo's mass: it is one of the
    groups that the clump joins."""
    group_mass, gains = masses.copy(), []
    for saddle, a, b in joins:
        both = group_mass[a] + group_mass[b]
        linked = 1 / (1 + (linking["density"] / saddle) ** (1 / linking["width"]))
        gains.append([linked * (of_mass(both) - of_mass(group_mass[group])) for group in (a, b)])
        group_mass[a] = both
    gained = np.zeros(len(masses))
    for (_, a, b), (by_a, by_b) in zip(reversed(joins), reversed(gains)):
        gained[b] = gained[a] + by_b
        gained[a] += by_a
    return np.array([of_mass(mass) for mass in masses]) + gained


def held(expected, matter, relation, voxel_mass, temperature):
    """The map with haloes that hold what their mass says, and the halo of every voxel, -1 outside;
    `temperature` is that of a voxel with a unit of HI."""
    linking = relation["linking"]
    clump, masses, joins = clumps(matter, linking["threshold"], linking["edge"])
    masses = masses * voxel_mass
    per_mass = mean_of_mass(linking, masses, joins, lambda mass: hydrogen(relation, mass) / max(mass, 1e-30))
    halo = np.arange(len(masses))
    for saddle, a, b in joins:
        if saddle >= linking["density"]:
            halo[halo == b] = a
    inside = clump >= 0
    of = np.where(inside, halo[clump], -1)
    total = lambda values: np.bincount(halo, values, len(masses))
    sums = np.bincount(of[inside], expected[inside].astype(np.float64), len(masses)) / temperature
    is_halo = (total(masses) >= relation["range"][0]) & (sums > 0)
    factor = np.where(is_halo, total(per_mass * masses) / np.where(is_halo, sums, 1), 1)
    return expected * np.where(inside, factor[of], 1), of


def heavier(weighing, matter, mass):
    """The probability, voxel by voxel, that its halo has at least `mass`, in voxels of mean density."""
    linking = weighing["linking"]
    clump, masses, joins = clumps(matter, linking["threshold"], linking["edge"])
    width = weighing["scatter"] * np.sqrt(3) / np.pi
    of_mass = lambda clumps: 1 / (1 + (mass / max(clumps, 1e-30)) ** (1 / width)) if clumps > 0.1 * mass else 0.0
    return np.append(mean_of_mass(linking, masses, joins, of_mass), 0)[clump]


def heavy_together(log_probabilities):
    """The two heaviest bins as one class."""
    either = torch.logaddexp(log_probabilities[2], log_probabilities[3])
    return torch.stack([*log_probabilities[:2], either, log_probabilities[4]])


class Chain:
    """HALO and LODI's expectation, from a folder with halo.safetensors and lodi.safetensors."""

    def __init__(self, folder, device="cpu"):
        halo, lodi = f"{folder}/halo.safetensors", f"{folder}/lodi.safetensors"
        self.device = device
        load = lambda path, prefix: {k: v.to(device) for k, v in tensors(path, prefix).items()}
        self.halo, self.lodi = network(halo, device), network(lodi, device)
        self.refinement, self.expectation = load(halo, "refinement."), load(lodi, "expectation.net.")

    def halo_maps(self, matter, header, chance, decisions):
        """HALO's maps in (Msun/h)/(Mpc/h)³ by each of the `decisions`; `chance` is the noise by which
        the smallest haloes lie."""
        n, config = len(matter), self.halo.config
        mean = float(header["Omega0"]) * 2.77536627e11
        tile, context = config["tile"], context_of(self.halo)
        voxel_mass = mean * (float(header["BoxSize"]) / n) ** 3
        seen = halo_channels(config, matter, voxel_mass)
        heaviest = heavier(config["weighing"], matter, config["mass_edges"][3] / voxel_mass)
        maps = np.zeros((len(decisions), 4, n, n, n))
        for o in origins(n, tile):
            window = torch.from_numpy(np.stack([cut(channel, o, tile, context) for channel in seen]))[None].to(self.device)
            coarse = torch.log_softmax(self.halo(window), dim=1)
            near = (..., *(slice(context - 1, 1 - context),) * 3)
            log_probabilities = refined(self.refinement, coarse[near], window[:, :1][near])[0].cpu()
            log_probabilities = heavy_together(log_probabilities)
            of_heavy = cut(heaviest, o, tile)
            for field, name in zip(maps, decisions):
                sharpness, bias, scatter = (
                    torch.tensor(config[name][k])[:, None, None, None] for k in ("sharpness", "bias", "scatter")
                )
                decided = log_probabilities * sharpness + bias + scatter * torch.from_numpy(cut(chance, o, tile))
                lightest, light, heavy, _ = torch.softmax(decided, dim=0).numpy()
                fractions = np.stack([lightest, light, heavy * (1 - of_heavy), heavy * of_heavy])
                put(field, o, fractions * cut(matter, o, tile) * mean)
        return maps

    def expected(self, matter, maps, header):
        """LODI's condition, the expected map in mK, and the halo of every voxel, -1 outside."""
        n = len(matter)
        omega_m, omega_lambda, h, z = (float(header[k]) for k in ("Omega0", "OmegaLambda", "HubbleParam", "Redshift"))
        mean = omega_m * 2.77536627e11
        voxel_mass = mean * (float(header["BoxSize"]) / n) ** 3
        # Villaescusa-Navarro et al. 2018: T_b = 189 h H0/H(z) (1 + z)² Ω_HI mK.
        scale = 189 * h * (1 + z) ** 2 / np.sqrt(omega_m * (1 + z) ** 3 + omega_lambda)
        config = self.lodi.config["expectation"]
        fractions = config["relation"]["hydrogen_fraction"]
        local = sum(f * m.astype(np.float64) for f, m in zip(fractions, maps)) * scale / 2.77536627e11
        transforms = config["condition"]
        channels = [forward(t, m) for t, m in zip(transforms, [*maps, matter, local])]
        seen = [*channels, *region_channels(config["regions"], matter, voxel_mass)]
        seen += surrounding_channels(config["surroundings"], matter)
        expected = np.zeros((n, n, n))
        for o in origins(n, 32):
            window = torch.from_numpy(np.stack([cut(f, o, 32, 1) for f in seen]))[None].to(self.device)
            factor = voxelwise(self.expectation, window)[0, 0].cpu().numpy().clip(-10, 10)
            put(expected, o, (cut(local, o, 32) + 0.01) * np.exp(factor))
        unit = scale / 2.77536627e11 * mean / voxel_mass
        expected, halo = held(expected, matter, config["haloes"], voxel_mass, unit)
        channels[-1] = forward(transforms[-1], expected)
        return channels, expected, halo
