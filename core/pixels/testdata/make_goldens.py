"""Writes cases.json and one PNG per case: what CLIPImageProcessor makes of generated photos.

pip install pillow==13.0.0 transformers==5.23.0 numpy==2.4.6; python make_goldens.py
The photos themselves are not stored: pattern() is repeated in pixels_test.go.
"""

import json
from pathlib import Path

import numpy as np
import PIL
import transformers
from PIL import Image
from transformers import CLIPImageProcessorPil

assert PIL.__version__ == "13.0.0", "Pillow 13 shrinks tall photos vertically first, older ones never do"
assert transformers.__version__ == "5.23.0"

HERE = Path(__file__).parent
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]


def noise(i):
    h = (i.astype(np.uint32) + np.uint32(1)) * np.uint32(0x9E3779B1)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    return (h >> np.uint32(8)) & np.uint32(255)


def pattern(name, width, height):
    """(height, width, 3) bytes."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    if name == "constant":
        v = 70 + 60 * c
    elif name == "gradient":
        v = np.where(c == 0, x * 255 // max(width - 1, 1), np.where(c == 1, y * 255 // max(height - 1, 1), x + y))
    elif name == "checker":
        v = ((x >> c) + (y >> c)) % 2 * 255
    elif name == "noise":
        v = noise((y * width + x) * 3 + c)
    elif name == "photo":  # ramps that fold, hard edges and a little noise
        ramp = np.abs((x * (3 + c) + y * 2) % 400 - 200)
        edge = np.where((x // 37 + y // 53) % 3 == 0, 55, 0)
        v = np.minimum(ramp + edge, 255) // 8 * 7 + noise((y * width + x) * 3 + c) // 16
    return (v & 255).astype(np.uint8)


CASES = [  # pattern, width, height, resize, crop
    ("noise", 1, 1, 8, 8),
    ("noise", 3, 7, 24, 24),
    ("noise", 7, 3, 24, 20),
    ("noise", 24, 24, 24, 24),
    ("noise", 96, 96, 96, 48),
    ("checker", 97, 96, 96, 96),
    ("checker", 96, 97, 96, 95),
    ("gradient", 97, 131, 48, 48),
    ("photo", 640, 480, 96, 96),
    ("photo", 480, 640, 96, 96),
    ("photo", 1234, 817, 70, 64),
    ("noise", 300, 1000, 64, 64),
    ("checker", 300, 1000, 64, 64),
    ("photo", 200, 401, 50, 50),
    ("photo", 200, 399, 50, 50),
    ("photo", 4000, 30, 32, 32),
    ("noise", 30, 4000, 32, 32),
    ("noise", 40, 4000, 32, 32),
    ("noise", 1, 300, 32, 32),
    ("photo", 300, 1, 32, 32),
    ("checker", 1500, 1500, 17, 16),
    ("photo", 120, 90, 20, 32),
    ("photo", 11, 9, 5, 8),
    ("photo", 90, 121, 21, 32),
    ("constant", 333, 222, 31, 31),
]

if __name__ == "__main__":
    cases = []
    for name, width, height, resize, crop in CASES:
        photo = Image.fromarray(pattern(name, width, height))
        spec = {"size": {"shortest_edge": resize}, "crop_size": {"height": crop, "width": crop}}
        plain = CLIPImageProcessorPil(do_rescale=False, do_normalize=False, **spec)
        bytes_ = np.asarray(plain(photo)["pixel_values"][0], dtype=np.uint8).transpose(1, 2, 0)
        case = {"pattern": name, "width": width, "height": height, "resize": resize, "crop": crop}
        file = f"{name}-{width}x{height}-{resize}-{crop}.png"
        Image.fromarray(np.ascontiguousarray(bytes_)).save(HERE / file, optimize=True)
        if crop <= 8:
            full = CLIPImageProcessorPil(image_mean=MEAN, image_std=STD, **spec)
            case["planes"] = [float(v) for v in full(photo)["pixel_values"][0].ravel()]
        cases.append(case)
    (HERE / "cases.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
