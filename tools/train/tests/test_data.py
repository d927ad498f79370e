"""Packing photos: splits, broken files, what is left of an interrupted run."""
import io
import os
import tarfile
import tempfile
import unittest

import numpy as np
from PIL import Image

from tools.train import data


def shard(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def photo(grey, size=(40, 30)):
    out = io.BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(out, "WEBP", lossless=True)
    return out.getvalue()


class PackTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root, self.out = (os.path.join(self.folder.name, n) for n in ("data", "packed"))
        os.makedirs(os.path.join(self.root, "cifar10"))
        self.shard = os.path.join(self.root, "cifar10", "images-000.tar.gz")

    def tearDown(self):
        self.folder.cleanup()

    def test_splits_and_broken_photos(self):
        names = ["train/cat/%03d.webp" % i for i in range(150)]
        held = [n for n in names if data.held_out("cifar10/" + n)]
        self.assertTrue(0 < len(held) < 20, held)
        shard(self.shard, dict({n: photo(i) for i, n in enumerate(names)}, **{
            "test/cat/a.webp": photo(200), "train/cat/broken.webp": b"RIFF....WEBP", "train/cat/empty.webp": b"", "train/README": b"no photo"}))
        data.pack(self.root, self.out, size=16, workers=1)
        parts = {p: data.Photos(self.out, p) for p in ("train", "val", "test")}
        self.assertEqual([r[3] for r in parts["test"].rows], ["test/cat/a.webp"])
        self.assertEqual([r[3] for r in parts["val"].rows], held)
        self.assertEqual([r[3] for r in parts["train"].rows], [n for n in names if n not in held])
        self.assertEqual(parts["train"].pixels.shape, (150 - len(held), 16, 16, 3))
        self.assertEqual(int(parts["test"].pixels[0, 0, 0, 0]), 200)
        self.assertEqual(parts["test"].rows[0][:3], ["cifar10", "cat", 30])
        self.assertEqual(sorted(os.listdir(self.out)), sorted(p + e for p in parts for e in (".images.npy", ".rows.json")))

    def test_other_splits_are_refused(self):
        for name in ("./test/cat/a.webp", "dev/cat/a.webp", "train/a.webp"):
            shard(self.shard, {name: photo(1)})
            with self.assertRaisesRegex(ValueError, "images-000.tar.gz: member '%s'" % name):
                data.pack(self.root, self.out, size=16, workers=1)
            self.assertFalse(os.listdir(self.out), "nothing is left behind")

    def test_arrays_and_rows_of_different_runs(self):
        shard(self.shard, {"test/cat/a.webp": photo(1)})
        data.pack(self.root, self.out, size=16, workers=1)
        np.save(os.path.join(self.out, "test.images.npy"), np.zeros((2, 16, 16, 3), np.uint8))
        with self.assertRaisesRegex(ValueError, "2 photos in test.images.npy, 1 in test.rows.json"):
            data.Photos(self.out, "test")


if __name__ == "__main__":
    unittest.main()
