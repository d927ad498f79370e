"""What is said about each category: names, everyday names, rationales, prompts.

Contract
  Texts(data_root, labels, category_map)  reads categories.tsv and rationales/clean.json under data_root, our own
                                          label packs (a folder of them, or one file) and the map from set
                                          categories to their categories.
  texts.packs[name]                       the pack's categories, sorted
  texts.pack[category]                    its rationales, of all packs together
  texts.classes[i]                        Class(set, category, names, everyday, own, collected)
  texts.index[set, category]              its number
Prompts are made by prompt(template, c=..., r=...). The four templates of the engine are CATEGORY, RATIONALE,
CONDITIONAL_A, CONDITIONAL_B; others are used in pre-training only.

texts.json holds the tables that tools/evaluate reads too: names, people, wider names, and the blocked words of
blocked.py.
"""
import csv
import glob
import json
import os
from collections import namedtuple

from .blocked import allowed
from .data import SETS

CATEGORY = "This is a photo of a {c}"
RATIONALE = "This is a photo of an object because there is {r}"
CONDITIONAL_A = "This is a photo of a {c} because there is {r}"
CONDITIONAL_B = "because there is {r}, this is a photo of a {c}"
OTHER_CATEGORY = ("a photo of a {c}", "{c}", "a picture of a {c}", "a blurry photo of a {c}", "a photo of the {c}")
OTHER_RATIONALE = ("{r}", "a photo with {r}", "there is {r}")

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "texts.json"), encoding="utf-8") as _f:
    _data = json.load(_f)
# Categories that are people: one name, no collected rationales.
PEOPLE = {(s, c) for s, categories in _data["people"].items() for c in categories}
# Names that the sets spell in a way nobody would type.
NAMES = {(s, c): name for s, names in _data["names"].items() for c, name in names.items()}
# An everyday name that is a wider word for others: neither is a wrong answer where the other is right.
WIDER = _data["wider"]
Class = namedtuple("Class", "set category names everyday own collected")


def prompt(template, c="", r=""):
    return template.replace("{c}", c).replace("{r}", r)


def related(a, b):
    """Whether everyday names a and b are the same or one is a wider word for the other."""
    return a == b or b in WIDER.get(a, ()) or a in WIDER.get(b, ())


def read_packs(path):
    """{pack: {category: rationales}} of one label pack, or of all in a folder.

    Raises ValueError where two packs disagree about a category.
    """
    packs, first = {}, {}
    for file in sorted(glob.glob(os.path.join(path, "*.json"))) if os.path.isdir(path) else [path]:
        name = os.path.splitext(os.path.basename(file))[0]
        with open(file, encoding="utf-8") as f:
            packs[name] = {c: [rs] if isinstance(rs, str) else rs for c, rs in json.load(f)["categories"].items()}
        for category, rationales in packs[name].items():
            other = first.setdefault(category, name)
            if packs[other][category] != rationales:
                raise ValueError("%s: %r has other rationales in pack %s" % (file, category, other))
    return packs


class Texts:
    def __init__(self, data_root, labels=None, category_map=None):
        with open(os.path.join(data_root, "rationales", "clean.json"), encoding="utf-8") as f:
            collected = json.load(f)
        mapping = {}
        packs = read_packs(labels) if labels else {}
        if category_map:
            with open(category_map, encoding="utf-8") as f:
                mapping = json.load(f)
        self.packs = {name: sorted(filter(allowed, pack)) for name, pack in packs.items()}
        self.pack = {c: [r for r in rs if allowed(r)] for pack in packs.values() for c, rs in pack.items() if allowed(c)}
        self.classes, self.index = [], {}
        for s in SETS:
            table = os.path.join(data_root, s, "categories.tsv")
            if not os.path.exists(table):
                continue
            with open(table, encoding="utf-8", newline="") as f:
                for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
                    self._add(s, row["category"], row["display_name"], mapping.get(s, {}), collected.get(s, {}))

    def _add(self, s, category, display, mapping, collected):
        people = (s, category) in PEOPLE or mapping.get(category) == "person"
        names = [n.strip().lower() for n in display.split(",")] if s == "tiny-imagenet" else [display.lower()]
        if (s, category) in NAMES:
            names = [NAMES[s, category]]
        if people:
            names = ["person"]
        names = [names[0]] + [n for n in names[1:] if allowed(n) and len(n) < 20]
        everyday = mapping.get(category)
        if everyday not in self.pack:
            everyday = None
        own = self.pack.get(everyday, [])
        found = [] if people else [r for r in collected.get(category, []) if allowed(r)]
        self.index[s, category] = len(self.classes)
        self.classes.append(Class(s, category, names, everyday, own, found))

    def corpus(self):
        """(text, weight) lines for the tokenizer: our own packs and category names weigh most."""
        lines = []
        for c, rs in self.pack.items():
            lines.append((c, 20))
            lines.extend((r, 6) for r in rs)
        for c in self.classes:
            lines.extend((n, 12) for n in c.names if allowed(n))
            lines.extend((r, 2) for r in c.collected)
        for t in (CATEGORY, RATIONALE, CONDITIONAL_A, CONDITIONAL_B) + OTHER_CATEGORY + OTHER_RATIONALE:
            lines.append((prompt(t), 2000))
        return lines


def outside_corpus(data_root):
    """Collected rationales of categories we have no photos for: they teach the vocabulary more English."""
    lines = []
    for name in ("Our_ImageNet_attribute.json", "SUN_text.json"):
        path = os.path.join(data_root, "rationales", name)
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as f:
            for category, rationales in json.load(f).items():
                category = category.replace("_", " ").replace("/", " ").lower()
                lines.append((category, 6))
                lines.extend((r.lower(), 1) for r in rationales)
    return [(t, w) for t, w in lines if allowed(t)]
