"""The label sets that fine-tuning classifies into, and its batches.

Contract
  label_sets(texts, classes, rows)   one LabelSet for each photo set, with its own names, and one with everyday names for
                                     all photos that have one; and how often each is drawn.
  LabelSet.draw(...)                 Batch(rows, category, rationales, group): photos in groups of one rationale each.
A category's rationales are those of the label packs, the collected ones where the packs do not have it, as in
tools/evaluate. All draws come from the numpy random generator that is passed in, and do not depend on what is done
with the batch: runs with other losses see the same photos and rationales.
"""
from collections import namedtuple

import numpy as np

from .texts import related

# rows [n] of photos; category [n], their numbers among the set's names; rationales, one for each group; group [n]
Batch = namedtuple("Batch", "rows category rationales group")


class LabelSet:
    def __init__(self, members):
        """members: (name, rationales, rows of photos), several of one name allowed."""
        self.names = sorted({name for name, _, _ in members})
        place = {name: i for i, name in enumerate(self.names)}
        self.rationales = [[] for _ in self.names]  # by category
        self.rows = [[] for _ in self.names]
        for name, rationales, rows in members:
            i = place[name]
            self.rationales[i] += [r for r in rationales if r not in self.rationales[i]]
            self.rows[i] += rows
        self.owners = {}  # rationale -> categories
        for i, rationales in enumerate(self.rationales):
            for r in rationales:
                self.owners.setdefault(r, []).append(i)
        self.listed = sorted(self.owners)
        self.explained = [i for i, rationales in enumerate(self.rationales) if rationales and self.rows[i]]

    def draw(self, groups, each, foreign, random):
        """groups rationales, and each photos of categories that have it; a share `foreign` of the photos is of any
        category instead.
        """
        rows, category, rationales = [], [], []
        for _ in range(groups):
            c = self.explained[random.randint(len(self.explained))]
            r = self.rationales[c][random.randint(len(self.rationales[c]))]
            rationales.append(r)
            owners = [o for o in self.owners[r] if self.rows[o]]
            for _ in range(each):
                pool = self.explained if random.random_sample() < foreign else owners
                c = pool[random.randint(len(pool))]
                category.append(c)
                rows.append(self.rows[c][random.randint(len(self.rows[c]))])
        return Batch(np.array(rows), np.array(category), rationales, np.repeat(np.arange(groups), each))

    def rivals(self, rationale, true, limit, random):
        """Categories to compare under a rationale: the true ones, its owners, and others, limit in all."""
        first = sorted(set(true) | set(self.owners[rationale]))
        rest = [i for i in random.permutation(len(self.names)).tolist() if i not in set(first)]
        return first + rest[:max(0, limit - len(first))]

    def compared(self, true, chosen):
        """[true, chosen]: whether a category is wrong where another is right, or is the right one."""
        names = self.names
        return np.array([[c == t or not related(names[t], names[c]) for c in chosen] for t in true]).reshape(len(true), len(chosen))


def label_sets(texts, row_class, weight, everyday=0.3):
    """weight [rows]: how often the sampler draws each photo. Returns [(LabelSet, share)]."""
    by_class = {}
    for row, c in enumerate(row_class):
        by_class.setdefault(int(c), []).append(row)
    members, named, shares = {}, [], {}
    for c, rows in sorted(by_class.items()):
        k = texts.classes[c]
        members.setdefault(k.set, []).append((k.names[0], k.own or k.collected, rows))
        shares[k.set] = shares.get(k.set, 0.0) + float(weight[rows].sum())
        if k.everyday:
            named.append((k.everyday, k.own, rows))
    sets = [(LabelSet(m), shares[s]) for s, m in sorted(members.items())]
    sets = [(s, share) for s, share in sets if s.explained]
    whole = sum(share for _, share in sets)
    sets = [(s, (1 - everyday) * share / whole) for s, share in sets]
    return sets + [(LabelSet(named), everyday)] if named else sets
