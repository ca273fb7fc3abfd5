"""What HALO and LODI see, and their attention residual U-Net in PyTorch, independent of Halodi."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage


def forward(transform, x):
    logarithm = np.log10(np.maximum(x, 0).astype(np.float64) + transform["floor"])
    return ((logarithm - transform["offset"]) / transform["scale"]).astype(np.float32)


def labels(matter, threshold):
    """The connected component that each voxel lies in, 0 outside; the box is periodic."""
    label, count = ndimage.label(matter >= threshold)
    parent = np.arange(count + 1)

    def root(a):
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        return a

    for axis in range(3):
        first, last = (np.take(label, i, axis).ravel() for i in (0, -1))
        both = (first > 0) & (last > 0)
        for a, b in np.unique(np.stack([first[both], last[both]], 1), axis=0):
            parent[root(a)] = root(b)
    return np.array([root(a) for a in range(count + 1)])[label]


def components(matter, threshold):
    """Summed density of the connected component that each voxel lies in, 0 outside, and the
    distance from its centre of mass in rms radii, 5 outside."""
    label = labels(matter, threshold)
    n, count = len(matter), label.max()
    inside = np.nonzero(label)
    of, dense = label[inside], matter[inside].astype(np.float64)
    total = lambda values: np.bincount(of, values, count + 1)
    mass = np.maximum(total(dense), 1e-30)
    apart = np.zeros(len(of))
    for x in inside:
        centre = np.arctan2(*(total(dense * f(2 * np.pi * x / n)) for f in (np.sin, np.cos)))[of] * n / (2 * np.pi)
        apart += (x - centre - n * np.round((x - centre) / n)) ** 2
    squares = total(dense * apart) / mass
    masses, distances = np.zeros(matter.shape), np.full(matter.shape, 5.0)
    masses[inside], distances[inside] = mass[of], np.sqrt(apart / (squares[of] + 0.25))
    return masses, distances


def features(config, matter, voxel_mass, redshift):
    """What a network sees of a box: the density, the components' masses and distances, the
    density smoothed with Gaussians, and, if it is told, the redshift."""
    channels = [forward(config["dark_matter"], matter)]
    for threshold in config["thresholds"]:
        mass, distance = components(matter, threshold)
        channels += [forward(config["mass"], mass * voxel_mass), forward(config["distance"], distance)]
    for radius in config["smoothing"]:
        axis = np.exp(-0.5 * (2 * np.pi * np.fft.fftfreq(len(matter)) * radius) ** 2)
        gaussian = axis[:, None, None] * axis[:, None] * axis
        channels.append(forward(config["smoothed"], np.fft.ifftn(np.fft.fftn(matter) * gaussian).real))
    if config.get("redshift"):
        channels.append(np.full(matter.shape, np.log1p(redshift), np.float32))
    return channels


class UNet:
    """HALO's and LODI's U-Net, by the names of its tensors."""

    def __init__(self, config, tensors):
        self.config, self.w, self.net = config, tensors, config["net"]
        # Part of the features that are left out; where a network learns.
        self.dropout = 0.0

    def conv(self, name, x, stride=1):
        weight = self.w[name + ".weight"]
        padding = 1 if weight.shape[-1] == 3 else 0
        return F.conv3d(x, weight, self.w[name + ".bias"], stride=stride, padding=padding)

    def norm(self, name, x):
        channels = x.shape[1]
        groups = channels // 8 if channels % 8 == 0 else 1
        return F.group_norm(x, groups, self.w[name + ".gamma"], self.w[name + ".beta"], 1e-5)

    def linear(self, name, x):
        # Stored [in, out].
        return x @ self.w[name + ".weight"] + self.w[name + ".bias"]

    def block(self, name, x, embedding):
        h = self.norm(name + ".norm2", self.conv(name + ".conv1", F.silu(self.norm(name + ".norm1", x))))
        if embedding is not None:
            scale, shift = self.linear(name + ".film", embedding).chunk(2, dim=1)
            h = h * (scale[..., None, None, None] + 1) + shift[..., None, None, None]
        h = self.conv(name + ".conv2", F.dropout(F.silu(h), self.dropout))
        return h + (self.conv(name + ".skip", x) if name + ".skip.weight" in self.w else x)

    def blocks(self, name, x, embedding):
        for i in range(self.net["blocks"]):
            x = self.block(f"{name}.{i}", x, embedding)
        return x

    def attention(self, x):
        b, c, *grid = x.shape
        heads = self.net["heads"]
        q, k, v = self.conv("attention.query_key_value", self.norm("attention.norm", x)).chunk(3, dim=1)
        q, k, v = (t.reshape(b, heads, c // heads, -1).transpose(2, 3) for t in (q, k, v))
        weights = torch.softmax(q @ k.transpose(2, 3) / (c // heads) ** 0.5, dim=-1)
        return x + self.conv("attention.output", (weights @ v).transpose(2, 3).reshape(b, c, *grid))

    def gate(self, name, skip, x):
        agreement = F.relu(self.conv(name + ".skip", skip) + self.conv(name + ".gate", x))
        return skip * torch.sigmoid(self.conv(name + ".weight", agreement))

    def __call__(self, x, position=None):
        f, levels = self.net["patch"], len(self.net["channels"])
        b, c, nx, ny, nz = x.shape
        x = x.reshape(b, c, nx // f, f, ny // f, f, nz // f, f).permute(0, 1, 3, 5, 7, 2, 4, 6)
        x = self.conv("stem", x.reshape(b, c * f**3, nx // f, ny // f, nz // f))
        embedding = None
        if position is not None:
            phase = position[:, None] * np.pi * 2.0 ** torch.arange(self.net["frequencies"], device=x.device)[None]
            features = torch.cat([phase.sin(), phase.cos()], dim=1)
            embedding = F.silu(self.linear("embedding.second", F.silu(self.linear("embedding.first", features))))
        skips = []
        for level in range(levels - 1):
            x = self.blocks(f"encoder.{level}.blocks", x, embedding)
            skips.append(x)
            x = self.conv(f"encoder.{level}.shrink", x, stride=2)
        x = self.attention(self.blocks("before", x, embedding))
        x = self.blocks("after", x, embedding)
        for level in range(levels - 1):
            x = F.interpolate(self.conv(f"decoder.{level}.grow", x), scale_factor=2, mode="nearest")
            skip = skips.pop()
            if self.net["gated"]:
                skip = self.gate(f"decoder.{level}.gate", skip, x)
            x = self.blocks(f"decoder.{level}.blocks", torch.cat([x, skip], dim=1), embedding)
        x = self.conv("head", F.silu(self.norm("norm", x)))
        b, c, nx, ny, nz = x.shape
        x = x.reshape(b, c // f**3, f, f, f, nx, ny, nz).permute(0, 1, 5, 2, 6, 3, 7, 4)
        return x.reshape(b, c // f**3, nx * f, ny * f, nz * f)
