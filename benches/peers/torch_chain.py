"""From dark matter to a 21 cm map in PyTorch, from the safetensors files alone."""

import json
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open

from torch_networks import UNet, features, forward


def tensors(path, prefix):
    """The tensors of a file whose names begin so, by the rest of their names."""
    with safe_open(path, "pt") as file:
        return {name.removeprefix(prefix): file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}


def network(path, device="cpu"):
    """The U-Net of a file."""
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["halodi.config"])
    return UNet(config, {name: tensor.to(device) for name, tensor in tensors(path, "net.").items()})


def correlated(white, correlation):
    """Noise of LODI's correlation: part of it white, the rest smoothed with a Gaussian."""
    n = len(white)
    axis = np.exp(-((2 * np.pi * np.fft.fftfreq(n) * correlation["radius"]) ** 2))
    smooth = axis[:, None, None] * axis[:, None] * axis / axis.mean() ** 3
    spectrum = 1 - correlation["smooth"] + correlation["smooth"] * smooth
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


def knots(mean):
    """Where conditional means lie among the knots of LODI's tables."""
    return np.clip((np.log10(np.maximum(mean, 0) + 0.1) + 1) / 0.25, 0, 18)


def voxelwise(w, x):
    """A network of one convolution of 3³ and two of a voxel, by its tensors; one voxel less at every face."""
    for name in ("neighbours", "hidden"):
        x = F.silu(F.conv3d(x, w[f"{name}.weight"], w[f"{name}.bias"]))
    return F.conv3d(x, w["output.weight"], w["output.bias"])


def refined(w, coarse, matter):
    """HALO's answer, voxel by voxel."""
    x = voxelwise(w, torch.cat([(coarse + 4) / 4, matter], dim=1))
    return torch.log_softmax(coarse[:, :, 1:-1, 1:-1, 1:-1] + x, dim=1)


def smoothed(field):
    """A Gaussian of one voxel: binomial weights of five, along each axis."""
    for axis in range(3):
        field = sum(w / 16 * np.roll(field, s, axis) for w, s in zip((1, 4, 6, 4, 1), range(-2, 3)))
    return field


class Chain:
    """HALO and LODI, from a folder with halo.safetensors and lodi.safetensors. `seconds` has what
    each part took."""

    def __init__(self, folder, device="cpu"):
        halo, lodi = f"{folder}/halo.safetensors", f"{folder}/lodi.safetensors"
        self.device, self.seconds = device, {}
        load = lambda path, prefix: {k: v.to(device) for k, v in tensors(path, prefix).items()}
        self.halo, self.lodi = network(halo, device), network(lodi, device)
        self.refinement, self.mean = load(halo, "refinement."), load(lodi, "conditional_mean.net.")

    def timed(self, part, began):
        if self.device != "cpu":
            torch.cuda.synchronize()
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began

    def windows(self, fields, places, side, context=0):
        return torch.stack([torch.from_numpy(np.stack([cut(f, o, side, context) for f in fields])) for o in places]).to(
            self.device
        )

    def halo_maps(self, matter, header, batch=1):
        """HALO's maps in (Msun/h)/(Mpc/h)³."""
        n, config = len(matter), self.halo.config
        mean = float(header["Omega0"]) * 2.77536627e11
        tile, context = config["tile"], context_of(self.halo)
        began = time.perf_counter()
        seen = features(config["features"], matter, mean * (float(header["BoxSize"]) / n) ** 3, float(header["Redshift"]))
        self.timed("features", began)
        began = time.perf_counter()
        maps = np.zeros((4, n, n, n))
        places = origins(n, tile)
        near = (..., *(slice(context - 1, 1 - context),) * 3)
        for i in range(0, len(places), batch):
            window = self.windows(seen, places[i : i + batch], tile, context)
            coarse = torch.log_softmax(self.halo(window), dim=1)
            fractions = refined(self.refinement, coarse[near], window[:, :1][near])[:, :4].exp().cpu().numpy()
            for o, fraction in zip(places[i : i + batch], fractions):
                put(maps, o, fraction * cut(matter, o, tile) * mean)
        self.timed("HALO", began)
        return maps

    def conditional_mean(self, matter, maps, header, batch=1):
        """LODI's condition and the conditional mean in mK."""
        n = len(matter)
        omega_m, omega_lambda, h, z = (float(header[k]) for k in ("Omega0", "OmegaLambda", "HubbleParam", "Redshift"))
        # Villaescusa-Navarro et al. 2018: T_b = 189 h H0/H(z) (1 + z)² Ω_HI mK.
        scale = 189 * h * (1 + z) ** 2 / np.sqrt(omega_m * (1 + z) ** 3 + omega_lambda)
        config = self.lodi.config["conditional_mean"]
        began = time.perf_counter()
        voxel_mass = omega_m * 2.77536627e11 * (float(header["BoxSize"]) / n) ** 3
        of_matter = features(config["features"], matter, voxel_mass, z)
        self.timed("features", began)
        began = time.perf_counter()
        fractions = config["relation"]["hydrogen_fraction"]
        local = sum(f * m.astype(np.float64) for f, m in zip(fractions, maps)) * scale / 2.77536627e11
        seen = [forward(config["halo_mass"], m) for m in maps] + [forward(config["temperature"], local), *of_matter]
        mean = np.zeros((n, n, n))
        places = origins(n, 32)
        for i in range(0, len(places), batch):
            window = self.windows(seen, places[i : i + batch], 32, 1)
            factors = voxelwise(self.mean, window)[:, 0].cpu().numpy().clip(-10, 10)
            for o, factor in zip(places[i : i + batch], factors):
                put(mean, o, (cut(local, o, 32) + 0.01) * np.exp(factor))
        self.timed("conditional mean", began)
        channels = [forward(t, f) for t, f in zip(self.lodi.config["condition"], [*maps, matter, mean])]
        return channels, mean

    def paint(self, channels, mean, noise, steps, batch=1):
        """The map in mK that the second-order solver paints from `noise`, on tiles that do not move."""
        n, config = len(mean), self.lodi.config
        tile, (low, high) = config["tile"], config["data_range"]
        gamma_min, gamma_max = config["schedule"]["gamma_min"], config["schedule"]["gamma_max"]
        alpha, sigma = (lambda g: (1 / (1 + np.exp(g))) ** 0.5), (lambda g: (1 / (1 + np.exp(-g))) ** 0.5)
        weight = np.sqrt(np.maximum(mean, 0) + 1e-3)
        total, place = smoothed(weight), knots(mean)
        levels = np.array(config["calibration"]["levels"])
        latent, previous = noise, None
        places = origins(n, tile)
        for step in range(steps):
            gamma = gamma_max + (gamma_min - gamma_max) * step / steps
            position = (gamma - gamma_min) / (gamma_max - gamma_min)
            began = time.perf_counter()
            clean = np.zeros((n, n, n), np.float32)
            for i in range(0, len(places), batch):
                window = self.windows([latent, *channels], places[i : i + batch], tile)
                velocity = self.lodi(window, torch.full((len(window),), position, device=self.device))[:, 0]
                estimate = (alpha(gamma) * window[:, 0] - sigma(gamma) * velocity).clamp(low, high).cpu().numpy()
                for o, x in zip(places[i : i + batch], estimate):
                    put(clean, o, x)
            self.timed("denoiser", began)
            began = time.perf_counter()
            if len(levels):
                at = position * (len(levels) - 1)
                level = min(int(at), len(levels) - 2)
                table = levels[level] * (1 - (at - level)) + levels[level + 1] * (at - level)
                around = smoothed(clean * weight) / total
                offset, gain, about = (np.interp(place, np.arange(19), table[:, i]) for i in range(3))
                clean = (clean + offset + gain * clean + about * around).clip(low, high)
            if step + 1 == steps:
                latent = clean
            else:
                to = gamma_max + (gamma_min - gamma_max) * (step + 1) / steps
                full = -alpha(to) * np.expm1((to - gamma) / 2)
                half = 0.0 if previous is None else 0.5
                latent = sigma(to) / sigma(gamma) * latent + full * (1 + half) * clean
                if previous is not None:
                    latent = latent - full * half * previous
                latent = latent.astype(np.float32)
            previous = clean
            self.timed("sampler", began)
        root, residual = np.sqrt(mean + 0.1), config["residual"]
        centre, deviation = (root * np.interp(place, np.arange(19), residual[k]) for k in ("mean", "deviation"))
        return np.maximum(centre + deviation * latent, 0) ** 2
