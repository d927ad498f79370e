"""From a batch of photos (as class numbers) to the texts they are compared with, and which of them are true.

Contract
  NameBank(texts, classes)      every category name once; `own[c]`, `common[c]` are the class's name among its own
                                set's names and among everyday names; `siblings[c]`, `rivals[c]` say which names
                                count as alternatives.
  rationale_batch(...)          texts [(“”, r)] and positive[image, text]
  conditional_batch(...)        texts [(c, r)], positive[image, text], and for every photo the texts that share
                                its drawn rationale: the true one (target) and the rivals ECOR's stage 2 compares.
All draws come from the numpy random generator that is passed in.
"""
import numpy as np
import torch

from .texts import related


class NameBank:
    def __init__(self, texts, classes):
        """classes: numbers of the classes that have photos; others are left out of the bank."""
        all_classes = texts.classes
        self.names, position = [], {}

        def place(name):
            if name not in position:
                position[name] = len(self.names)
                self.names.append(name)
            return position[name]

        classes = sorted(set(classes))
        self.synonyms = {}
        everyday = {}
        own, common = {}, {}
        for c in classes:
            k = all_classes[c]
            own[c] = place(k.names[0])
            self.synonyms.setdefault(own[c], set()).update(k.names)
            common[c] = place(k.everyday or k.names[0])
            everyday[common[c]] = k.everyday or k.names[0]
        n, total = len(self.names), len(all_classes)
        self.own = torch.full((total,), -1)
        self.common = torch.full((total,), -1)
        self.siblings = torch.zeros(total, n, dtype=torch.bool)
        self.rivals = torch.zeros(total, n, dtype=torch.bool)
        sets = {}
        for c in classes:
            sets.setdefault(all_classes[c].set, set()).add(own[c])
        for c in classes:
            self.own[c], self.common[c] = own[c], common[c]
            self.siblings[c, sorted(sets[all_classes[c].set])] = True
            for i, name in everyday.items():
                if i == common[c] or not related(name, everyday[common[c]]):
                    self.rivals[c, i] = True
            self.rivals[c, common[c]] = True
        self.synonyms = {i: sorted(s) for i, s in self.synonyms.items()}
        self.everyday = sorted(everyday)

    def chosen(self, classes, random, limit=320):
        """Numbers of the names to compare a batch with: the true ones and others drawn at random.

        Also returns a table from name number to place among the chosen ones (-1: not chosen, and for -1).
        """
        true = set(self.own[classes].tolist()) | set(self.common[classes].tolist())
        rest = [i for i in range(len(self.names)) if i not in true]
        extra = random.permutation(len(rest))[:max(0, limit - len(true))]
        chosen = sorted(true | {rest[i] for i in extra})
        at = torch.full((len(self.names) + 1,), -1)
        at[chosen] = torch.arange(len(chosen))
        return torch.tensor(chosen), at

    def drawn(self, random, chosen, synonyms=0.2):
        """The chosen names, some of them replaced by a synonym."""
        names = []
        for i in chosen.tolist():
            options = self.synonyms.get(i, ())
            use = len(options) > 1 and random.random_sample() < synonyms
            names.append(options[random.randint(len(options))] if use else self.names[i])
        return names


def draw_rationale(klass, random, own=0.65):
    lists = [x for x in (klass.own, klass.collected) if x]
    if not lists:
        return None
    chosen = lists[0] if len(lists) == 1 or random.random_sample() < own else lists[1]
    return chosen[random.randint(len(chosen))]


def names_of(klass):
    return {klass.names[0], klass.everyday or klass.names[0]}


def rationale_batch(texts, classes, random):
    drawn = [draw_rationale(texts.classes[c], random) for c in classes]
    listed = sorted({r for r in drawn if r})
    true = {c: set(texts.classes[c].own) | set(texts.classes[c].collected) for c in set(classes)}
    positive = torch.tensor([[r in true[c] for r in listed] for c in classes]).reshape(len(classes), len(listed))
    return [("", r) for r in listed], positive


def conditional_batch(texts, classes, random, others, negatives=2, foreign=0.25):
    """others: set name -> class numbers of that set, to draw rivals with the same rationale from.

    Returns pairs, positive [images, pairs], target [images] and same [images, pairs]: for photo i, pair target[i]
    is (its name, its drawn rationale), and same[i] marks the pairs with that rationale whose category is not
    also true of the photo. A share `foreign` of the photos gets a rationale of another category: without them
    the pair whose rationale fits its category would be the true one every time, whatever is in the photo.
    """
    wanted, rationales, extra = [], [], []
    for c in classes:
        k = texts.classes[c]
        r = draw_rationale(k, random)
        if random.random_sample() < foreign:
            rival = texts.classes[others[k.set][random.randint(len(others[k.set]))]]
            r = draw_rationale(rival, random)
            if r is not None:
                extra.append((rival.names[0], r))
        rationales.append(r)
        if r is None:
            wanted.append(None)
            continue
        use_everyday = k.everyday is not None and random.random_sample() < 0.6
        wanted.append((k.everyday if use_everyday else k.names[0], r))
    pairs = {p for p in wanted if p} | set(extra)
    for c, r in zip(classes, rationales):
        if r is None:
            continue
        pool = others[texts.classes[c].set]
        for _ in range(negatives):
            rival = texts.classes[pool[random.randint(len(pool))]]
            pairs.add((rival.everyday or rival.names[0] if random.random_sample() < 0.6 else rival.names[0], r))
    pairs = sorted(pairs)
    place = {p: i for i, p in enumerate(pairs)}
    listed = sorted({r for _, r in pairs})
    at = {r: i for i, r in enumerate(listed)}
    pair_r = np.array([at[r] for _, r in pairs], dtype=np.int64)
    pair_c = [c for c, _ in pairs]
    kinds = sorted(set(classes))
    name_true, name_open, r_true = {}, {}, {}
    distinct = sorted(set(pair_c))
    spot = {n: i for i, n in enumerate(distinct)}
    pair_n = np.array([spot[n] for n in pair_c], dtype=np.int64)
    for c in kinds:
        k = texts.classes[c]
        true = names_of(k)
        name_true[c] = np.array([n in true for n in distinct])
        # A wider or narrower everyday word is neither right nor wrong, unless the set itself tells them apart.
        siblings = {texts.classes[o].names[0] for o in others[k.set]}
        name_open[c] = np.array([n not in true and (n in siblings or not any(related(n, t) for t in true))
                                 for n in distinct])
        known = set(k.own) | set(k.collected)
        r_true[c] = np.array([r in known for r in listed])
    positive = np.zeros((len(classes), len(pairs)), bool)
    same = np.zeros_like(positive)
    target = np.full(len(classes), -1)
    for i, c in enumerate(classes):
        if wanted[i] is None:
            continue
        positive[i] = name_true[c][pair_n] & r_true[c][pair_r]
        target[i] = place[wanted[i]]
        same[i] = (pair_r == at[rationales[i]]) & name_open[c][pair_n]
        same[i, target[i]] = True
    return pairs, torch.from_numpy(positive), torch.from_numpy(target), torch.from_numpy(same)
