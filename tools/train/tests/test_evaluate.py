import tempfile
import types
import unittest

import torch

from tools.train import evaluate, texts

import made_up


class Spelling:
    """A tokenizer whose only token is the number of the colour that the text ends in."""

    def encode(self, text):
        return [list(made_up.COLOURS).index(text.split()[-1])]


class OneHot:
    """A text tower whose embedding is one at its token."""
    config = {"projection_dim": len(made_up.COLOURS)}

    def eval(self):
        pass

    def text(self, tokens):
        return torch.eye(len(made_up.COLOURS))[tokens.ids[:, 0]]


class PackAccuracyTest(unittest.TestCase):
    def test_only_the_packs_own_photos_and_names(self):
        with tempfile.TemporaryDirectory() as root:
            known = texts.Texts(*made_up.folder(root))
        photos = types.SimpleNamespace(rows=[["cifar10", c, 96, ""] for c in ("cherry", "leaf", "pool", "lemon")])
        # The pool looks like a cherry, which its pack does not have, then like a leaf; the lemon like a pool, likewise.
        cherry, leaf, pool, lemon = torch.eye(4)
        vectors = torch.stack([cherry, leaf, 3 * cherry + 2 * leaf + pool, lemon + 2 * pool])
        got = evaluate.pack_accuracy(OneHot(), Spelling(), known, photos, range(4), vectors)
        self.assertEqual(got, {"first": (1.0, 3, 3), "second": (0.5, 2, 2)})


if __name__ == "__main__":
    unittest.main()
