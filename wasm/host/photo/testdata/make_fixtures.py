"""Writes photos/ and, in expected/, the pixels that Pillow reads from each as an RGB PNG.

pip install pillow==13.0.0 numpy==2.4.6; python make_fixtures.py
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps

assert PIL.__version__ == "13.0.0"
HERE = Path(__file__).parent
(HERE / "photos").mkdir(exist_ok=True)
(HERE / "expected").mkdir(exist_ok=True)


def corners(width, height):
    """Every corner and edge differs, so no two orientations look alike."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), 255 - (x + y) * 3], -1).astype(np.uint8)


def smooth(width, height):
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    planes = [np.sin(5 * x + 3 * y), np.sin(4 * y - 2 * x + 1), np.cos(6 * x * y + 2)]
    return (np.stack(planes, -1) * 120 + 128).astype(np.uint8)


def finish(name, data, expected=None):
    (HERE / "photos" / name).write_bytes(data)
    if expected is None:
        image = Image.open(io.BytesIO(data))
        image.seek(0)
        expected = ImageOps.exif_transpose(image).convert("RGB")
    expected.save(HERE / "expected" / f"{name}.png", optimize=True)


def encode(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    e = Image.Exif()
    e[0x0112] = orientation
    return e.tobytes()


def png(colour, depth, width, height, rows, *chunks):
    """A PNG of a kind that Pillow does not write."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    body = zlib.compress(b"".join(b"\0" + r for r in rows), 9)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*c) for c in chunks) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


photo = Image.fromarray(smooth(40, 30))
marked = Image.fromarray(corners(24, 16))
for o in range(1, 9):
    finish(f"orientation-{o}.jpg", encode(marked, "JPEG", quality=95, subsampling=0, exif=exif(o)))
    finish(f"orientation-{o}.png", encode(marked, "PNG", exif=exif(o)))
finish("orientation-6.webp", encode(marked, "WEBP", lossless=True, exif=exif(6)))
finish("orientation-7-lossy.webp", encode(marked, "WEBP", quality=95, exif=exif(7)))
broken = encode(marked, "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0II*\0\xff\xff\xff\xff\x01\x02")
finish("broken-exif.jpg", broken, Image.open(io.BytesIO(broken)).convert("RGB"))

finish("baseline.jpg", encode(photo, "JPEG", quality=90))
finish("subsampled-422.jpg", encode(photo.crop((0, 0, 37, 29)), "JPEG", quality=90, subsampling="4:2:2"))
finish("subsampled-420.jpg", encode(photo.crop((0, 0, 37, 29)), "JPEG", quality=90, subsampling="4:2:0"))
finish("progressive.jpg", encode(photo, "JPEG", quality=90, progressive=True))
finish("grey.jpg", encode(photo.convert("L"), "JPEG", quality=90))
finish("cmyk.jpg", encode(photo.convert("CMYK"), "JPEG", quality=95))
finish("lossy.webp", encode(photo, "WEBP", quality=90))
finish("lossless.webp", encode(photo, "WEBP", lossless=True))

alpha = Image.fromarray(np.dstack([smooth(20, 15), corners(20, 15)[..., 0]]))
finish("alpha.png", encode(alpha, "PNG"))
finish("alpha.webp", encode(alpha, "WEBP", lossless=True, exact=True))
finish("alpha-lossy.webp", encode(alpha, "WEBP", quality=90, exact=True))
finish("grey-alpha.png", encode(alpha.convert("LA"), "PNG"))
finish("grey.png", encode(photo.convert("L"), "PNG"))
finish("bits-1.png", encode(photo.convert("1"), "PNG"))
palette = photo.quantize(13)
finish("palette.png", encode(palette, "PNG"))
finish("palette-transparent.png", encode(palette, "PNG", transparency=bytes(range(0, 260, 20))))
finish("palette.gif", encode(palette, "GIF"))
frames = [palette, Image.fromarray(255 - smooth(40, 30)).quantize(7)]
finish("animated.gif", encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50))

# 16 bit: the high byte counts. Pillow's own conversion of 16-bit grey clips at 255 instead.
wide = smooth(20, 15).astype(np.uint16) * 257 - 100 * (smooth(20, 15) > 9)
high = (wide >> 8).astype(np.uint8)
rows = [r.astype(">u2").tobytes() for r in wide]
finish("bits-16.png", png(2, 16, 20, 15, rows))
with_alpha = np.dstack([wide, wide[..., :1]])
finish("bits-16-alpha.png", png(6, 16, 20, 15, [r.astype(">u2").tobytes() for r in with_alpha]))
grey = Image.fromarray(high[..., 1]).convert("RGB")
finish("bits-16-grey.png", png(0, 16, 20, 15, [r.astype(">u2").tobytes() for r in wide[..., 1]]), grey)
key = struct.pack(">HHH", *wide[3, 4])
finish("bits-16-key.png", png(2, 16, 20, 15, rows, (b"tRNS", key)), Image.fromarray(high))
