"""LODI's denoiser trained in PyTorch, where a CUDA device is at hand and `halodi train` is slow.

    pip install numpy scipy h5py safetensors torch
    halodi reference BOX/snapshot_000.hdf5 --model haloes --grid 128 --scatter 0 --out MEAN
    python benches/peers/torch_train_lodi.py pack BOX MEAN PACKED.npz.bz2
    python benches/peers/torch_train_lodi.py train WEIGHTS OUT SECONDS VALIDATION DATA

`pack` makes of a box of 'halodi dataset' and its map without scatter what is trained on: the dark
matter (to 0.4 %), that map, and the halo that its HI is of. WEIGHTS holds halo.safetensors and
lodi.safetensors, whose denoiser (or a fresh one, with FRESH=1 in the environment) it
begins with; VALIDATION and DATA are folders of packed boxes. OUT is written whenever the validation
is the best so far. The objective is that of 'halodi train lodi', but every crop has a scatter
of its own. 'halodi train lodi --from OUT' goes on from there and calibrates it.
"""

import bz2
import glob
import io
import json
import math
import multiprocessing
import os
import sys
import time

import h5py
import numpy as np
import torch
from safetensors import safe_open
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from torch_chain import Chain, knots
from torch_descent import descend
from torch_train_halo import fresh

SIDE = 32
MARGIN = 4
BATCH = int(os.environ.get("BATCH", 64))
LOOKS = int(os.environ.get("LOOKS", 1024))
RATE = float(os.environ.get("RATE", 2e-3))
DROPOUT = float(os.environ.get("DROPOUT", 0.1))
DECAY = 1e-2
WARMUP = 300
EMA = 0.9995
SCATTER = 0.2 * math.log(10)
DECIDED = (-3.0, 4.0)
# Steps of the logarithm of the dark matter, above a twentieth of the mean.
FINENESS = math.log(6e4 / 0.05) / 2047


def halo_of_voxels(mean, draw):
    """The halo that the HI of each voxel is of, 0 for none: where one map is the other times a factor,
    it is of one halo; where haloes overlap, it counts as that of the nearest."""
    some = mean > 1e-7 * mean.max()
    ratio = np.where(some, np.log(np.maximum(draw, 1e-30) / np.where(some, mean, 1)), np.nan)
    flat, index = ratio.ravel(), np.arange(mean.size).reshape(mean.shape)
    first, second = [], []
    for axis in range(3):
        a, b = index, np.roll(index, -1, axis)
        alike = np.abs(ratio - np.roll(ratio, -1, axis)) < 1e-4
        first.append(a[alike])
        second.append(b[alike])
    first, second = np.concatenate(first), np.concatenate(second)
    graph = coo_matrix((np.ones(len(first), bool), (first, second)), (mean.size, mean.size))
    label = connected_components(graph, directed=False)[1]
    size = np.bincount(label)
    pure = (size[label] >= 4) & np.isfinite(flat)
    label = np.where(pure, np.unique(np.where(pure, label, -1), return_inverse=True)[1].ravel(), 0).reshape(mean.shape)
    # On a periodic box: the nearest of a wrapped one.
    edge = 6
    wrapped = np.pad(label, edge, mode="wrap")
    nearest = ndimage.distance_transform_edt(wrapped == 0, return_distances=False, return_indices=True)
    near = wrapped[tuple(nearest)][(slice(edge, -edge),) * 3]
    return np.where(some, near, 0)


def pack(box, mean_path, out):
    with h5py.File(f"{box}/fields.hdf5") as file:
        header = {k: float(file.attrs[k]) for k in ("Omega0", "OmegaLambda", "HubbleParam", "Redshift", "BoxSize")}
        matter, draw = file["dark_matter"][...], file["reference_brightness_temperature"][...].astype(np.float64)
    with h5py.File(mean_path) as file:
        mean = file["reference_brightness_temperature"][...].astype(np.float64)
    halo = halo_of_voxels(mean, draw)
    # How well a factor per halo turns one map into the other.
    weight = np.bincount(halo.ravel(), mean.ravel())
    factor = np.bincount(halo.ravel(), draw.ravel()) / np.maximum(weight, 1e-30)
    off = math.sqrt(((mean * factor[halo] - draw) ** 2).sum() / (draw**2).sum())
    print(f"{out}: {halo.max()} haloes, {off:.2e} off the box's own draw", flush=True)
    matter = np.round(np.log(matter / 0.05 + 1) / FINENESS).clip(0, 2047).astype(np.uint16)
    mean = np.round(np.log(mean / 1e-3 + 1) / 1e-3).astype(np.uint16)
    with bz2.open(out, "wb") as file:
        np.savez(file, header=json.dumps(header), matter=matter, mean=mean, halo=halo.astype(np.uint16))


def unpack(path):
    with bz2.open(path) as packed:
        file = np.load(io.BytesIO(packed.read()))
        header = json.loads(str(file["header"]))
        matter = (0.05 * np.expm1(file["matter"] * FINENESS)).astype(np.float32)
        mean = (1e-3 * np.expm1(file["mean"] * 1e-3)).astype(np.float32)
        return header, matter, mean, file["halo"].astype(np.int32)


def prepare(arguments):
    """LODI's condition of a box, its map without scatter and whose HI that is."""
    folder, path, device = arguments
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    header, matter, mean, halo = unpack(path)
    chain = Chain(folder, device)
    maps = chain.halo_maps(matter, header)
    channels, expected = chain.conditional_mean(matter, maps.astype(np.float32), header)
    return np.stack([*channels, mean, expected]).astype(np.float32), halo


class Boxes:
    """Boxes on the device; a voxel is a row of the condition, the map without scatter, and the
    conditional mean."""

    def __init__(self, prepared, device):
        self.n, self.device = prepared[0][1].shape[0], device
        rows = [torch.from_numpy(fields.reshape(len(fields), -1).T.copy()) for fields, _ in prepared]
        self.rows = torch.cat(rows).to(device)
        self.halo = torch.cat([torch.from_numpy(halo.reshape(-1)) for _, halo in prepared]).to(device).long()
        self.haloes = int(self.halo.max()) + 1
        self.count = len(prepared)
        weight = (1 + self.rows[:, -1].double() / 0.1) ** 0.75
        weight = weight.view(self.count, -1)
        self.weight = (weight / weight.mean(1, keepdim=True)).float().view(-1)
        self.cumulative = self.weight.view(self.count, -1).double().cumsum(1)

    def spread(self, residual):
        """Mean and deviation of the root of the temperature, voxel by voxel."""
        expected = self.rows[:, -1].cpu().double().numpy()
        place = knots(expected)
        root = np.sqrt(np.maximum(expected, 0) + 0.1)
        tables = [root * np.interp(place, np.arange(19), residual[k]) for k in ("mean", "deviation")]
        self.spreads = torch.from_numpy(np.stack(tables, 1).astype(np.float32)).to(self.device)

    def crops(self, count, generator):
        """The condition, the data and the weight of crops, half of them where there is HI."""
        n, g, device = self.n, generator, self.device
        uniform = lambda *shape: torch.rand(*shape, generator=g, device=device)
        box = (uniform(count) * self.count).long().clamp_max(self.count - 1)
        anywhere = (uniform(count) * n**3).long().clamp_max(n**3 - 1)
        total = self.cumulative[:, -1]
        by_weight = torch.searchsorted(self.cumulative[box], (uniform(count).double() * total[box])[:, None])[:, 0]
        voxel = torch.where(uniform(count) < 0.5, by_weight.clamp_max(n**3 - 1), anywhere)
        place = torch.stack([voxel // n**2, voxel // n % n, voxel % n], 1)
        origin = place - (uniform(count, 3) * SIDE).long().clamp_max(SIDE - 1)
        # One of the 48 orientations: each axis of the crop runs along an axis of the box, or against it.
        permutation = uniform(count, 3).argsort(1)
        against = uniform(count, 3) < 0.5
        steps = torch.arange(SIDE, device=device)
        along = torch.where(against[:, :, None], SIDE - 1 - steps, steps)  # per axis of the box
        coordinates = (origin[:, :, None] + along) % n * torch.tensor([n * n, n, 1], device=device)[None, :, None]
        coordinates = coordinates.gather(1, permutation[:, :, None].expand(-1, -1, SIDE))
        index = coordinates[:, 0, :, None, None] + coordinates[:, 1, None, :, None] + coordinates[:, 2, None, None, :]
        index = index + (box * n**3)[:, None, None, None]
        rows, spread = self.rows[index], self.spreads[index]
        normal = torch.randn(count, self.haloes, generator=g, device=device)
        factor = torch.exp(SCATTER * normal - 0.5 * SCATTER**2)
        drawn = factor.gather(1, self.halo[index].view(count, -1)).view(index.shape)
        data = ((rows[..., -2] * drawn).sqrt() - spread[..., 0]) / spread[..., 1]
        weight = self.weight[index]
        weight = weight / (0.5 + 0.5 * weight.mean((1, 2, 3), keepdim=True))
        return rows[..., :-2].permute(0, 4, 1, 2, 3).contiguous(), data[:, None], weight[:, None]


def residual_tables(boxes, generator):
    """Mean and deviation of the root of the temperature, by what is expected."""
    expected = boxes.rows[:, -1].double()
    knot = ((((expected.clamp_min(0) + 0.1).log10() + 1) / 0.25).clamp(0, 18)).round().long()
    moments = torch.zeros(3, 19, dtype=torch.float64, device=boxes.device)
    for _ in range(8):
        normal = torch.randn(boxes.count, boxes.haloes, generator=generator, device=boxes.device)
        factor = torch.exp(SCATTER * normal - 0.5 * SCATTER**2)
        drawn = factor.gather(1, boxes.halo.view(boxes.count, -1)).view(-1)
        root = (boxes.rows[:, -2] * drawn / (expected.clamp_min(0) + 0.1)).sqrt().double()
        for moment, value in zip(moments, (torch.ones_like(root), root, root**2)):
            moment += torch.bincount(knot, value, 19)
    count, total, squares = moments.cpu().numpy()
    mean, deviation, last = [], [], (1.0, 1.0)
    for k in range(19):
        if count[k] >= 100:
            average = total[k] / count[k]
            variance = max(squares[k] / count[k] - average**2, 0)
            last = (average, math.sqrt(variance + 0.15**2 / 10 ** (-1 + 0.25 * k)))
        mean.append(last[0])
        deviation.append(last[1])
    return {"mean": mean, "deviation": deviation}


class Noise:
    """Noise of LODI's colour, made with a margin around."""

    def __init__(self, colour, device):
        self.m = SIDE + 2 * MARGIN
        axis = np.exp(-((2 * np.pi * np.fft.fftfreq(self.m) * colour["radius"]) ** 2))
        smooth = axis[:, None, None] * axis[:, None] * axis[: self.m // 2 + 1] / axis.mean() ** 3
        amplitude = np.sqrt(1 - colour["smooth"] + colour["smooth"] * smooth)
        self.amplitude = torch.from_numpy(amplitude.astype(np.float32)).to(device)

    def draw(self, count, generator):
        white = torch.randn(count, self.m, self.m, self.m, generator=generator, device=self.amplitude.device)
        noise = torch.fft.irfftn(torch.fft.rfftn(white, dim=(1, 2, 3)) * self.amplitude, s=(self.m,) * 3, dim=(1, 2, 3))
        inside = (slice(None), *(slice(MARGIN, -MARGIN),) * 3)
        return noise[inside][:, None]


def times(count, schedule, generator, device):
    """Antithetic times, half of them where it is decided what is painted."""
    low, high = schedule["gamma_min"], schedule["gamma_max"]
    first, last = ((g - low) / (high - low) for g in DECIDED)
    within = 0.5 + 0.5 * (last - first)
    u = (torch.rand(1, generator=generator, device=device) + torch.arange(count, device=device) / count) % 1
    middle = first + (u - 0.5 * first) * (last - first) / within
    return torch.where(u < 0.5 * first, 2 * u, torch.where(u < 0.5 * first + within, middle, 1 - 2 * (1 - u)))


def loss(net, boxes, noise, count, generator):
    condition, data, weight = boxes.crops(count, generator)
    schedule = net.config["schedule"]
    t = times(count, schedule, generator, boxes.device)
    gamma = schedule["gamma_min"] + (schedule["gamma_max"] - schedule["gamma_min"]) * t
    alpha, sigma = (torch.sigmoid(g).sqrt()[:, None, None, None, None] for g in (-gamma, gamma))
    eps = noise.draw(count, generator)
    z = alpha * data + sigma * eps
    with torch.autocast(boxes.device.type, torch.bfloat16, enabled=boxes.device.type == "cuda"):
        velocity = net(torch.cat([z, condition], 1), t)
    return ((velocity.float() - (alpha * eps - sigma * data)) ** 2 * weight).mean()


def train(folder, out, seconds, validation, data):
    began = time.time()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    paths = [sorted(glob.glob(f"{f}/*.npz.bz2")) for f in (validation, data)]
    with multiprocessing.get_context("spawn").Pool(int(os.environ.get("WORKERS", 4))) as pool:
        prepared = pool.map(prepare, [(folder, path, device.type) for path in sum(paths, [])], chunksize=1)
    unseen = Boxes(prepared[: len(paths[0])], device)
    boxes = Boxes(prepared[len(paths[0]) :], device)
    del prepared
    start = f"{folder}/lodi.safetensors"
    with safe_open(start, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    config = json.loads(metadata["halodi.config"])
    generator = torch.Generator(device).manual_seed(1)
    config["residual"] = residual_tables(boxes, generator)
    boxes.spread(config["residual"])
    unseen.spread(config["residual"])
    if os.environ.get("FRESH") == "1":
        fresh(tensors, config)
    learning = {k.removeprefix("net."): v.to(device) for k, v in tensors.items() if k.startswith("net.")}
    net = Chain(folder, device).lodi
    net.config, net.w = config, learning
    noise = Noise(config["noise"], device)
    print(f"{boxes.count} boxes, {unseen.count} to validate on, {time.time() - began:.0f} s", flush=True)

    def validate(net):
        generator = torch.Generator(device).manual_seed(2)
        with torch.no_grad():
            return np.mean([float(loss(net, unseen, noise, BATCH, generator)) for _ in range(max(LOOKS // BATCH, 1))])

    best = validate(net)
    print(f"validation {best:.4f} to begin with", flush=True)
    fit = {"began": began, "seconds": seconds, "rate": RATE, "warmup": WARMUP, "weight_decay": DECAY, "dropout": DROPOUT, "ema": EMA}
    descend(
        net,
        (tensors, metadata, config, out),
        lambda net: loss(net, boxes, noise, BATCH, generator),
        validate,
        lambda: f"{boxes.count} boxes",
        fit,
        best,
    )


if __name__ == "__main__":
    {"pack": pack, "train": train}[sys.argv[1]](*sys.argv[2:])
