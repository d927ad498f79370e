"""A tiny made-up world for the tests: coloured photos, a few categories with rationales, a tiny model."""
import json
import os

import numpy as np

from tools.train import bpe, model

COLOURS = {"cherry": (200, 20, 20), "leaf": (20, 180, 30), "pool": (20, 40, 220), "lemon": (230, 220, 30)}
PACK = {"cherry": ["red skin", "a round shape"], "leaf": ["green veins", "a flat shape"],
        "pool": ["blue water", "a flat shape"], "lemon": ["yellow skin", "a round shape"]}
PACKS = {"first": ["cherry", "leaf", "lemon"], "second": ["leaf", "pool"]}


def folder(root):
    """A data folder with one set, a folder of two label packs and a category map; returns (data, labels, map)."""
    data_set = os.path.join(root, "cifar10")
    os.makedirs(data_set)
    os.makedirs(os.path.join(root, "rationales"))
    with open(os.path.join(data_set, "categories.tsv"), "w") as f:
        f.write("category\trationale_file\tkey\tmatch\tn_rationales\tdisplay_name\tsource_label\n")
        for c in COLOURS:
            f.write("%s\tx.json\t%s\texact\t2\t%s\t%s\n" % (c, c, c, c))
    with open(os.path.join(root, "rationales", "clean.json"), "w") as f:
        json.dump({"cifar10": {"cherry": ["a short stem", "worn by men"]}, "missing": {}}, f)
    labels, mapping = os.path.join(root, "labels"), os.path.join(root, "map.json")
    os.makedirs(labels)
    for name, categories in PACKS.items():
        with open(os.path.join(labels, name + ".json"), "w") as f:
            json.dump({"categories": {c: PACK[c] for c in categories}}, f)
    with open(mapping, "w") as f:
        json.dump({"cifar10": {c: c for c in COLOURS}}, f)
    return root, labels, mapping


class Photos:
    """Same interface as data.Photos."""

    def __init__(self, each=8):
        random = np.random.RandomState(0)
        self.rows, pixels = [], []
        for c, colour in COLOURS.items():
            for i in range(each):
                self.rows.append(["cifar10", c, 96, "%s/%d" % (c, i)])
                noise = random.randint(-20, 20, (32, 32, 3))
                pixels.append(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))
        self.pixels = np.stack(pixels)

    def __len__(self):
        return len(self.rows)

    def batch(self, indices):
        import torch
        return torch.from_numpy(self.pixels[np.asarray(indices)]).permute(0, 3, 1, 2)


def tokenizer():
    """A vocabulary of single bytes and a few merges."""
    symbols = bpe.byte_symbols()
    words = {w: 5 for w in "this is a photo of object because there red round shape".split()}
    merges = bpe.learn_merges(words, 60, symbols)
    return bpe.Bpe(bpe.vocabulary(merges), merges)


def config(tokens, layers=2):
    c = model.mini_config(len(tokens.vocab), tokens.start, tokens.end)
    c["projection_dim"] = 32
    c["vision_config"].update(image_size=32, patch_size=8, hidden_size=32, intermediate_size=64, num_hidden_layers=layers, num_attention_heads=2)
    c["text_config"].update(hidden_size=32, intermediate_size=64, num_hidden_layers=layers, num_attention_heads=2,
                            max_position_embeddings=128)
    return c
