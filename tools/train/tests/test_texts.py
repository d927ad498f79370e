import json
import os
import tempfile
import unittest

import numpy as np
import torch

from tools.train import blocked, losses, prompts, texts

import made_up


class FilterTest(unittest.TestCase):
    def test_people(self):
        for text in ("worn by women", "a man wearing a suit", "typically worn by muslim women", "used for prayer",
                     "an old white person", "a bald head", "two breasts", "injured or ill people", "for ages 12 and up",
                     "A Beautiful face", "blind people"):
            self.assertFalse(blocked.allowed(text), text)

    def test_things_and_animals(self):
        for text in ("long legs", "smooth skin", "a tall, slender tower", "a bald eagle", "a man-made structure",
                     "baby back ribs", "a muscular body", "a red cross on the side", "ladybug", "a race car", "manhole"):
            self.assertTrue(blocked.allowed(text), text)


class TextsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.texts = texts.Texts(*made_up.folder(self.folder.name))
        self.random = np.random.RandomState(0)
        self.others = {"cifar10": [0, 1, 2, 3]}

    def tearDown(self):
        self.folder.cleanup()

    def test_classes(self):
        cherry = self.texts.classes[self.texts.index["cifar10", "cherry"]]
        self.assertEqual(cherry.collected, ["a short stem"])  # "worn by men" is filtered
        self.assertEqual(cherry.own, made_up.PACK["cherry"])

    def test_packs_are_read_together(self):
        self.assertEqual(self.texts.packs, {name: sorted(c) for name, c in made_up.PACKS.items()})
        self.assertEqual(self.texts.pack, made_up.PACK)

    def test_one_pack(self):
        path = os.path.join(self.folder.name, "labels", "second.json")
        self.assertEqual(texts.read_packs(path), {"second": {c: made_up.PACK[c] for c in ("leaf", "pool")}})

    def test_packs_that_disagree(self):
        with open(os.path.join(self.folder.name, "labels", "third.json"), "w") as f:
            json.dump({"categories": {"pool": ["blue water"]}}, f)
        with self.assertRaisesRegex(ValueError, "third.json: 'pool' has other rationales in pack second"):
            texts.read_packs(os.path.join(self.folder.name, "labels"))

    def test_related_names(self):
        self.assertTrue(texts.related("bird", "goose") and texts.related("goose", "bird"))
        self.assertFalse(texts.related("goose", "duck"))

    def test_targets_of_rationales(self):
        classes = [self.texts.index["cifar10", c] for c in ("leaf", "pool", "leaf")]
        for _ in range(20):
            pairs, positive = prompts.rationale_batch(self.texts, classes, self.random)
            for j, (_, r) in enumerate(pairs):
                want = [r in made_up.PACK[c] for c in ("leaf", "pool", "leaf")]
                self.assertEqual(positive[:, j].tolist(), want, r)

    def test_same_rationale_negatives(self):
        classes = [0, 1, 2, 3] * 4
        pairs, positive, target, same = prompts.conditional_batch(
            self.texts, classes, self.random, self.others, negatives=3)
        with_rivals = 0
        for i, c in enumerate(classes):
            name, r = pairs[target[i]]
            self.assertEqual(name, self.texts.classes[c].names[0])
            self.assertTrue(same[i, target[i]])
            rivals = [pairs[j] for j in torch.nonzero(same[i])[:, 0].tolist() if j != target[i]]
            self.assertTrue(all(r2 == r and c2 != name for c2, r2 in rivals))
            with_rivals += bool(rivals)
            for j, (c2, r2) in enumerate(pairs):
                k = self.texts.classes[c]
                self.assertEqual(bool(positive[i, j]), c2 == name and r2 in k.own + k.collected)
        self.assertGreater(with_rivals, len(classes) // 2)

    def test_name_bank(self):
        bank = prompts.NameBank(self.texts, [0, 1, 2, 3])
        chosen, at = bank.chosen(torch.tensor([1, 1, 2]), self.random, limit=3)
        self.assertEqual(len(chosen), 3)
        for c in (1, 2):
            self.assertEqual(bank.names[chosen[at[bank.own[c]]]], self.texts.classes[c].names[0])


class LossTest(unittest.TestCase):
    def test_multi_positive_by_hand(self):
        logits = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]])
        positive = torch.tensor([[True, True, False], [False, True, False]])
        rows, columns = logits.log_softmax(1), logits.log_softmax(0)
        by_image = -((rows[0, 0] + rows[0, 1]) / 2 + rows[1, 1]) / 2
        by_text = -(columns[0, 0] + (columns[0, 1] + columns[1, 1]) / 2) / 2  # the third text has no photo
        self.assertAlmostEqual(losses.multi_positive(logits, positive).item(), ((by_image + by_text) / 2).item(), places=6)

    def test_among_leaves_out_what_is_not_allowed(self):
        logits = torch.tensor([[1.0, 9.0, 0.0]])
        got = losses.among(logits, torch.tensor([0]), torch.tensor([[True, False, True]])).item()
        self.assertAlmostEqual(got, -torch.tensor([1.0, 0.0]).log_softmax(0)[0].item(), places=5)


if __name__ == "__main__":
    unittest.main()
