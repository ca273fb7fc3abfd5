"""HALO's U-Net trained in PyTorch, where a CUDA device is at hand and `halodi train` is slow.

    pip install numpy scipy h5py safetensors torch
    python benches/peers/torch_train_halo.py START OUT SECONDS VALIDATION DATA...

START is a halo.safetensors whose configuration (and, with RESUME=1 in the environment,
weights) to begin with; OUT is written whenever the validation is the best so far. VALIDATION
and DATA are folders with box_*/fields.hdf5 ('halodi dataset'); boxes that appear in DATA
while it trains are learned from, too. The objective is that of 'halodi train halo': the cross-entropy between fractions
of the matter, each voxel weighted by its matter. 'halodi train refinement --from OUT'
goes on from there.
"""

import glob
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

from torch_descent import descend
from torch_networks import UNet, features

CLASSES = 5
CROP = 48
EDGE = 4
BATCH = int(os.environ.get("BATCH", 32))
LOOKS = int(os.environ.get("LOOKS", 640))
DROPOUT = 0.1
DECAY = 1e-2
RATE = 2e-3
WARMUP = 200
EMA = 0.999


def prepare(path, config, target):
    """The network's input, the matter and its fractions per class, as one array of halves."""
    with h5py.File(path) as file:
        header = dict(file.attrs)
        matter = file["dark_matter"][...]
        haloes = [file[f"halo_mass_{i}"][...] for i in range(1, CLASSES)]
    mean = float(header["Omega0"]) * 2.77536627e11
    voxel_mass = mean * (float(header["BoxSize"]) / len(matter)) ** 3
    channels = features(config["features"], matter, voxel_mass, float(header["Redshift"]))
    fractions = [np.clip(h / (matter * mean + 1e-30), 0, 1) for h in haloes]
    rest = np.clip(1 - sum(fractions), 0, 1)
    values = np.stack([*channels, np.minimum(matter, 6e4), *fractions, rest]).astype(np.float16)
    np.save(target + ".part.npy", values)
    os.replace(target + ".part.npy", target)


class Boxes:
    """Boxes on the device, prepared by processes beside."""

    def __init__(self, folders, config, cache, pool, device):
        self.folders, self.config, self.cache, self.pool, self.device = folders, config, cache, pool, device
        self.pending, self.fields = {}, []
        os.makedirs(cache, exist_ok=True)

    def look(self, wait=False):
        for path in sorted(p for f in self.folders for p in glob.glob(f"{f}/box_*/fields.hdf5")):
            if path not in self.pending:
                target = f"{self.cache}/{len(self.pending)}.npy"
                self.pending[path] = (target, self.pool.apply_async(prepare, (path, self.config, target)))
        for path, (target, job) in self.pending.items():
            if job is not None and (wait or job.ready()):
                job.get()
                self.fields.append(torch.from_numpy(np.load(target)).to(self.device))
                os.remove(target)
                self.pending[path] = (target, None)

    def crops(self, count, generator, side=CROP):
        """Crops anywhere, each in one of the 48 orientations of the cube."""
        out = []
        for _ in range(count):
            box = self.fields[generator.integers(len(self.fields))]
            n = box.shape[-1]
            index = [(torch.arange(side, device=self.device) + int(o)) % n for o in generator.integers(0, n, 3)]
            index = [i.flip(0) if generator.random() < 0.5 else i for i in index]
            crop = box[:, index[0]][:, :, index[1]][:, :, :, index[2]]
            out.append(crop.permute(0, *(1 + generator.permutation(3))))
        return torch.stack(out).float()


def fresh(tensors, config):
    """Weights as Halodi begins with: uniform within 1/√fan-in, and zero where a block ends."""
    inputs = config["net"]["input"] * config["net"]["patch"] ** 3
    for name, value in tensors.items():
        layer, kind = name.rsplit(".", 1)
        if kind in ("gamma", "beta"):
            tensors[name] = torch.full_like(value, float(kind == "gamma"))
            continue
        weight = tensors[layer + ".weight"]
        if layer == "net.stem" and kind == "weight":
            value = value.new_empty(value.shape[0], inputs, 3, 3, 3)
        fan = inputs * 27 if layer == "net.stem" else weight[0].numel()
        ends = layer.endswith(("conv2", "net.head", "attention.output", "refinement.output"))
        tensors[name] = torch.zeros_like(value) if ends else value.new_empty(value.shape).uniform_(-1, 1) / math.sqrt(fan)


def entropy(net, crops, inputs):
    """Cross-entropy per mean matter of a voxel."""
    with torch.autocast(crops.device.type, torch.bfloat16, enabled=crops.is_cuda):
        logits = net(crops[:, :inputs])
    near = (..., *(slice(EDGE, -EDGE),) * 3)
    log_probabilities = torch.log_softmax(logits.float()[near], dim=1)
    matter, fractions = crops[near][:, inputs : inputs + 1], crops[near][:, inputs + 1 :]
    return -(log_probabilities * fractions * matter).sum(1).mean()


def main():
    start, out, seconds, validation, *folders = sys.argv[1:]
    began = time.time()
    # Before the device is touched, which does not survive a fork.
    pool = multiprocessing.get_context("fork").Pool(min(8, os.cpu_count()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    with safe_open(start, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    config = json.loads(metadata["halodi.config"])
    config["net"]["input"] = 1 + 2 * len(config["features"]["thresholds"])
    inputs = config["net"]["input"]
    if os.environ.get("RESUME") != "1":
        fresh(tensors, config)
    net = UNet(config, {k.removeprefix("net."): v.to(device) for k, v in tensors.items() if k.startswith("net.")})
    cache = f"{os.environ.get('CACHE', '/dev/shm')}/halodi"
    unseen = Boxes([validation], config, f"{cache}_validation", pool, device)
    boxes = Boxes(folders, config, f"{cache}_train", pool, device)
    boxes.look()
    unseen.look(wait=True)
    boxes.look(wait=True)
    print(f"{len(boxes.fields)} boxes, {len(unseen.fields)} to validate on, {time.time() - began:.0f} s", flush=True)

    def validate(net):
        generator = np.random.default_rng(2)
        with torch.no_grad():
            return np.mean([float(entropy(net, unseen.crops(BATCH, generator), inputs)) for _ in range(LOOKS // BATCH)])

    def data():
        boxes.look()
        return f"{len(boxes.fields)} boxes"

    generator = np.random.default_rng(1)
    fit = {"began": began, "seconds": seconds, "rate": RATE, "warmup": WARMUP, "weight_decay": DECAY, "dropout": DROPOUT, "ema": EMA}
    loss = lambda net: entropy(net, boxes.crops(BATCH, generator), inputs)
    descend(net, (tensors, metadata, config, out), loss, validate, data, fit)
    pool.terminate()


if __name__ == "__main__":
    main()
