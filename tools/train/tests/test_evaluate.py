import tempfile
import types
import unittest

import numpy as np
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


class Random:
    """Towers whose embedding of every text is drawn once; also its own tokenizer."""
    config = {"projection_dim": 16}

    def __init__(self):
        self.seen, self.random = [], torch.Generator().manual_seed(1)
        self.bank = torch.nn.functional.normalize(torch.randn(400, 16, generator=self.random), dim=1)

    def encode(self, text):
        if text not in self.seen:
            self.seen.append(text)
        return [self.seen.index(text)]

    def eval(self):
        pass

    def text(self, tokens):
        return self.bank[tokens.ids[:, 0]]

    def scale(self):
        return torch.tensor(9.0)


class DoublyRightTest(unittest.TestCase):
    def test_hand_made_pairs(self):
        stripes_legs = {"stripes", "four legs"}
        for name, pairs, right in (
                ("right pair first", "zebra stripes, car legs", True),
                ("the walk stops at the right pair, before the majority", "zebra stripes, car fur, car wheels", True),
                ("equal counts: the category met first", "car wheels, zebra stripes, zebra fur", False),
                ("right pair behind wrong reasons", "zebra wheels, zebra fur, zebra stripes, car fur", True),
                ("the category's wrong reasons only", "zebra wheels, zebra fur", False),
                ("its reason with another category", "tiger stripes, zebra fur", False),
                ("the majority before the right pair", "car wheels, car fur, zebra stripes", False)):
            pairs = [tuple(p.split(" ")) for p in pairs.split(", ")]
            self.assertEqual(evaluate.is_doubly_right(pairs, "zebra", stripes_legs), right, name)

    def test_equals_the_whole_table(self):
        with tempfile.TemporaryDirectory() as root:
            known = texts.Texts(*made_up.folder(root))
        # Another category of the name, whose rationales are right as well, and one that has none.
        lime = texts.Class("cifar10", "lime", ["lemon"], None, [], ["green skin"])
        rock = texts.Class("cifar10", "rock", ["rock"], None, [], [])
        for k in (lime, rock):
            known.index["cifar10", k.category] = len(known.classes)
            known.classes.append(k)
        photos = types.SimpleNamespace(rows=[["cifar10", c, 96, ""] for c in 30 * ("cherry", "leaf", "pool", "lemon", "lime", "rock")])
        towers = Random()
        vectors = torch.nn.functional.normalize(torch.randn(len(photos.rows), 16, generator=towers.random), dim=1)
        got = evaluate.doubly_right(towers, towers, known, photos, range(len(photos.rows)), vectors)

        right = {c: set(rs) for c, rs in made_up.PACK.items()}
        right["lemon"].add("green skin")
        right["rock"] = set()
        names, reasons = sorted(right), sorted(set().union(*right.values()))
        softmax = lambda v, strings: (9 * v @ evaluate.encode_texts(towers, towers, strings).t()).softmax(0)
        seen = {"ecor": [], "independent": []}
        for v, (_, c, _, _) in zip(vectors, photos.rows):
            gold = "lemon" if c == "lime" else c
            if gold == "rock":
                continue
            stage1 = softmax(v, [texts.prompt(texts.RATIONALE, r=r) for r in reasons])
            stage2 = torch.stack([softmax(v, [texts.prompt(texts.CONDITIONAL_B, c=n, r=r) for n in names]) for r in reasons])
            by_name = softmax(v, [texts.prompt(texts.CATEGORY, c=n) for n in names])
            for method, table in (("ecor", stage1[:, None] * stage2), ("independent", stage1[:, None] * by_name)):
                five = sorted(((float(table[j, i]), n, r) for j, r in enumerate(reasons) for i, n in enumerate(names)), reverse=True)[:5]
                seen[method].append((names[int(table.sum(0).argmax())] == gold,
                                     evaluate.is_doubly_right([(n, r) for _, n, r in five], gold, right[gold])))
        for part in ("cifar10", "all"):
            methods, n = got[part]
            self.assertEqual(n, 150)
            for method, outcomes in seen.items():
                self.assertEqual(methods[method], tuple(np.mean(outcomes, 0)), method)
                self.assertTrue(0 < methods[method][1] < 1)


if __name__ == "__main__":
    unittest.main()
