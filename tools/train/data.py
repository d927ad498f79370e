"""Photos: packing the data sets into one array, sampling batches and augmenting them.

Contract
  pack(data_root, out, size) reads every image set under data_root (tar shards, index.tsv) once and writes
                            out/<part>.images.npy   uint8 [n, size, size, 3]  short side bicubic, centre crop
                            out/<part>.rows.json    one [set, category, native short side, path] per photo
                            for the parts train, val (a fixed 4 % of the train split) and test.
  Photos(out, part)         gives those arrays back, the pixels memory-mapped.
  Sampler                   draws row numbers with tempered weights; its state is its random generator.
  augment(...)              uint8 batch -> normalised float batch, all on whole batches.
  mix(...)                  pairs of photos in one: CutMix or MixUp.

Pixels are never turned into anything but tensors: no photo is copied into the repository.
"""
import hashlib
import io
import json
import os
import tarfile
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F

SIZE = 96  # side of a packed photo, where nothing else is said
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
SETS = ("caltech101", "food101", "tiny-imagenet", "cifar100", "cifar10", "scenes6", "scene15-gray",
        "animals", "imagenet18", "imagenet-samples", "natural3")
HELD_OUT = 0.04


def square(image, size=SIZE):
    """PIL image -> uint8 [size, size, 3], as the engine and CLIPImageProcessor do it."""
    from PIL import Image
    image = image.convert("RGB")
    w, h = image.size
    if w <= h:
        w, h = size, int(size * h / w)
    else:
        w, h = int(size * w / h), size
    if image.size != (w, h):
        image = image.resize((w, h), Image.BICUBIC)
    left, top = (w - size) // 2, (h - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)))


def held_out(path):
    """Whether a training photo belongs to the validation part; depends on its path only."""
    digest = hashlib.sha256(path.encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT * 2 ** 32


def _read_shard(job):
    from PIL import Image
    set_name, shard, size = job
    pixels, rows, broken = [], [], []
    with tarfile.open(shard) as tar:
        for member in tar:
            if not member.isfile() or not member.name.endswith(".webp"):
                continue
            split, _, rest = member.name.partition("/")
            category, _, _ = rest.partition("/")
            if split not in ("train", "test") or "/" not in rest:
                raise ValueError("%s: member %r is not train/CATEGORY/FILE or test/CATEGORY/FILE" % (shard, member.name))
            try:
                image = Image.open(io.BytesIO(tar.extractfile(member).read()))
                packed = square(image, size)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:  # what Pillow raises
                broken.append("%s: not an image that Pillow reads (%s)" % (member.name, type(e).__name__))
                continue
            part = "test" if split == "test" else (
                "val" if held_out(set_name + "/" + member.name) else "train")
            rows.append((part, [set_name, category, min(image.size), member.name]))
            pixels.append(packed)
    return np.array(pixels, np.uint8).reshape(-1, size, size, 3), rows, broken


def pack(data_root, out, size=SIZE, workers=2):
    os.makedirs(out, exist_ok=True)
    jobs = [(s, os.path.join(data_root, s, f), size) for s in SETS if os.path.isdir(os.path.join(data_root, s))
            for f in sorted(os.listdir(os.path.join(data_root, s))) if f.endswith(".tar.gz")]
    parts = {"train": ([], []), "val": ([], []), "test": ([], [])}
    with ProcessPoolExecutor(workers) as pool:
        for (set_name, shard, _), (pixels, rows, broken) in zip(jobs, pool.map(_read_shard, jobs)):
            print("packed", set_name, os.path.basename(shard), len(rows), flush=True)
            for line in broken:
                print("left out", set_name, line, flush=True)
            for part, (arrays, kept) in parts.items():
                chosen = [i for i, (p, _) in enumerate(rows) if p == part]
                if chosen:
                    arrays.append(pixels[chosen])
                    kept.extend(rows[i][1] for i in chosen)
    for part, (arrays, kept) in parts.items():
        images, listed = (os.path.join(out, part + end) for end in (".images.npy", ".rows.json"))
        with open(images + ".new", "wb") as f:
            np.save(f, np.concatenate(arrays or [np.zeros((0, size, size, 3), np.uint8)]))
        with open(listed + ".new", "w") as f:
            json.dump(kept, f)
        os.replace(images + ".new", images)
        os.replace(listed + ".new", listed)
        print(part, len(kept), "photos", flush=True)


class Photos:
    def __init__(self, folder, part):
        self.pixels = np.load(os.path.join(folder, part + ".images.npy"), mmap_mode="r")
        with open(os.path.join(folder, part + ".rows.json")) as f:
            self.rows = json.load(f)
        if len(self.rows) != len(self.pixels):
            raise ValueError("%s: %d photos in %s.images.npy, %d in %s.rows.json; pack again" % (
                folder, len(self.pixels), part, len(self.rows), part))

    def __len__(self):
        return len(self.rows)

    def batch(self, indices):
        """uint8 tensor [n, 3, H, W]."""
        return torch.from_numpy(np.ascontiguousarray(self.pixels[np.asarray(indices)])).permute(0, 3, 1, 2)


class Sampler:
    """Draws rows so that small and sharp sets are not drowned by the many 32-pixel photos.

    Weight of a set: (its number of photos) ** 0.65, times 0.4 for photos below 64 pixels; inside a set a
    category weighs the square root of its number of photos.
    """

    def __init__(self, rows, seed):
        count, per_set = {}, {}
        for s, c, side, _ in rows:
            count[s, c] = count.get((s, c), 0) + 1
            per_set[s] = per_set.get(s, 0) + 1
        weight = np.array([count[s, c] ** -0.5 for s, c, _, _ in rows])
        sets = np.array([s for s, _, _, _ in rows])
        for s, n in per_set.items():
            here = sets == s
            low = min(rows[i][2] for i in np.flatnonzero(here)[:1]) < 64
            weight[here] *= n ** 0.65 * (0.4 if low else 1.0) / weight[here].sum()
        self.weight = weight / weight.sum()
        self.cumulative = np.cumsum(self.weight)
        self.random = np.random.RandomState(seed)

    def draw(self, n):
        return np.searchsorted(self.cumulative, self.random.random_sample(n) * self.cumulative[-1]).clip(
            0, len(self.cumulative) - 1)

    def state(self):
        return self.random.get_state()

    def restore(self, state):
        self.random.set_state(state)


def normalise(pixels, size=None):
    """uint8 [n, 3, S, S] -> float32, CLIP mean and deviation; size: side wanted, where photos are packed at another."""
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    x = pixels.float() / 255
    if size and size != x.shape[-1]:
        x = F.interpolate(x, size=(size, size), mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
    return (x - mean) / std


def augment(pixels, sides, generator, size=SIZE, smallest=0.3):
    """Random resized crop, mirror, colour, and random loss of detail, for a whole batch.

    pixels  uint8 [n, 3, S, S];  sides  native short side of each photo;  size  the side wanted.
    Sharp photos are blurred now and then so that "blurry" does not come to mean "from the 32-pixel sets".
    """
    n = len(pixels)

    def rand(*shape):
        return torch.rand(*shape, generator=generator)

    x = pixels.float() / 255
    if size * 2 <= x.shape[-1]:
        x = F.avg_pool2d(x, 2)
    # Loss of detail first: some of the photos of 64 pixels and more go down to 24..64 pixels and back.
    sharp = torch.tensor([side >= 64 for side in sides]) & (rand(n) < 0.2)
    if sharp.any():
        small = int(torch.randint(24, 64, (1,), generator=generator)) * x.shape[-1] // SIZE
        low = F.interpolate(x[sharp], size=(small, small), mode="bilinear", align_corners=False, antialias=True)
        x[sharp] = F.interpolate(low, size=x.shape[2:], mode="bicubic", align_corners=False).clamp(0, 1)
    # Crop and mirror in one sampling grid.
    area = smallest + (1 - smallest) * rand(n)
    ratio = torch.exp((rand(n) * 2 - 1) * 0.2877)  # 3/4 .. 4/3
    w = (area * ratio).sqrt().clamp(max=1)
    h = (area / ratio).sqrt().clamp(max=1)
    dx = (rand(n) * 2 - 1) * (1 - w)
    dy = (rand(n) * 2 - 1) * (1 - h)
    flip = torch.where(rand(n) < 0.5, -torch.ones(n), torch.ones(n))
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = w * flip, dx
    theta[:, 1, 1], theta[:, 1, 2] = h, dy
    grid = F.affine_grid(theta, [n, 3, size, size], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    # Colour: brightness, contrast, saturation.
    def factor(spread):
        return 1 + (rand(n, 1, 1, 1) * 2 - 1) * spread
    x = x * factor(0.25)
    x = (x - x.mean((1, 2, 3), keepdim=True)) * factor(0.25) + x.mean((1, 2, 3), keepdim=True)
    grey = x.mean(1, keepdim=True)
    saturation = torch.where(rand(n, 1, 1, 1) < 0.05, torch.zeros(n, 1, 1, 1), factor(0.25))
    x = ((x - grey) * saturation + grey).clamp(0, 1)
    return (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def mix(x, count, generator):
    """Replaces the last `count` photos of a batch by mixtures of two of them, all by CutMix (a rectangle of the
    other photo; Yun et al., arXiv 1905.04899) or all by MixUp (a weighted sum; Zhang et al., arXiv 1710.09412).

    Returns the batch, the other photo's place for every photo (its own where it is not mixed), and the share of the
    first photo, float [n].
    """
    n, side = len(x), x.shape[-1]
    first = n - count
    other, weight = torch.arange(n), torch.ones(n)
    if count < 2:
        return x, other, weight
    other[first:] = other[first:].roll(1)
    share = float(torch.rand((), generator=generator))
    y = x.clone()
    if torch.rand((), generator=generator) < 0.5:
        w = int(side * (1 - share) ** 0.5)
        left, top = (int(torch.randint(side - w + 1, (), generator=generator)) for _ in range(2))
        y[first:, :, top:top + w, left:left + w] = x[other[first:], :, top:top + w, left:left + w]
        share = 1 - (w / side) ** 2
    else:
        y[first:] = share * x[first:] + (1 - share) * x[other[first:]]
    weight[first:] = share
    return y, other, weight
