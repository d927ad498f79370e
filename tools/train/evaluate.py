"""Top-1 accuracy per set, in float32.

Contract
  category_accuracy(...)     {set: (top-1, photos)}: every category of the set is a candidate, category prompts.
                             Categories with the same name (the people of CIFAR-100) are one candidate.
  pack_accuracy(...)         {label pack: (top-1, photos, names)}: the photos whose category is in the pack, among all
                             names of the pack.
  stage2_accuracy(...)       {template: top-1} of P(c | r, I): for photos with rationales, one rationale of the true
                             category is given and all categories of the photo's set are compared under it.
  rationale_accuracy(...)    share of photos whose best rationale, among all rationales of the set, is one of
                             their category's.
  doubly_right(...)          {set: ({method: (top-1, RR)}, photos)} of "ecor" and "independent", and of "all" sets' photos
                             together; docs/evaluation.md says what RR is. Photos whose category has rationales.
"""
import numpy as np
import torch

from .data import normalise
from .model import pad_texts
from .texts import CATEGORY, CONDITIONAL_A, CONDITIONAL_B, RATIONALE, prompt


@torch.no_grad()
def encode_texts(model, bpe, strings, batch=256):
    model.eval()
    ids = [bpe.encode(s) for s in strings]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    out = torch.empty(len(ids), model.config["projection_dim"])
    for i in range(0, len(order), batch):
        part = order[i:i + batch]
        out[part] = model.text(pad_texts([ids[j] for j in part]))
    return out


@torch.no_grad()
def encode_photos(model, photos, rows, batch=64):
    model.eval()
    return torch.cat([model.image(normalise(photos.batch(rows[i:i + batch]), model.side)) for i in range(0, len(rows), batch)])


def by_set(texts, photos, rows):
    """[(set, [(place in rows, its Class)])] of photos, in the order of the sets' names."""
    found = {}
    for at, i in enumerate(rows):
        s, c, _, _ = photos.rows[i]
        found.setdefault(s, []).append((at, texts.classes[texts.index[s, c]]))
    return sorted(found.items())


def category_accuracy(model, bpe, texts, photos, rows, vectors):
    result = {}
    for s, members in by_set(texts, photos, rows):
        names = sorted({k.names[0] for k in texts.classes if k.set == s})
        bank = encode_texts(model, bpe, [prompt(CATEGORY, c=n) for n in names])
        best = (vectors[[at for at, _ in members]] @ bank.t()).argmax(1).tolist()
        result[s] = (float(np.mean([names[b] == k.names[0] for b, (_, k) in zip(best, members)])), len(members))
    return result


def pack_accuracy(model, bpe, texts, photos, rows, vectors):
    truth = [(at, texts.classes[texts.index[tuple(photos.rows[i][:2])]].everyday) for at, i in enumerate(rows)]
    result = {}
    for pack, names in texts.packs.items():
        known = [(at, n) for at, n in truth if n in names]
        if not known:
            continue
        bank = encode_texts(model, bpe, [prompt(CATEGORY, c=n) for n in names])
        best = (vectors[[at for at, _ in known]] @ bank.t()).argmax(1).tolist()
        result[pack] = (float(np.mean([names[b] == n for b, (_, n) in zip(best, known)])), len(known), len(names))
    return result


def stage2_accuracy(model, bpe, texts, photos, rows, vectors, seed=1, most=300):
    random = np.random.RandomState(seed)
    right = {CONDITIONAL_A: [], CONDITIONAL_B: []}
    chosen = random.permutation(len(rows))[:most]
    for at in chosen:
        s, c, _, _ = photos.rows[rows[at]]
        k = texts.classes[texts.index[s, c]]
        given = k.own or k.collected
        if not given:
            continue
        r = given[random.randint(len(given))]
        names = sorted({o.names[0] for o in texts.classes if o.set == s})
        for template in right:
            bank = encode_texts(model, bpe, [prompt(template, c=n, r=r) for n in names])
            right[template].append(names[int((bank @ vectors[at]).argmax())] == k.names[0])
    return {t: (float(np.mean(v)), len(v)) for t, v in right.items()}


def rationale_accuracy(model, bpe, texts, photos, rows, vectors):
    result = {}
    for s, members in by_set(texts, photos, rows):
        known = sorted({r for k in texts.classes if k.set == s for r in k.own})
        members = [(at, k) for at, k in members if k.own]
        if not members or not known:
            continue
        bank = encode_texts(model, bpe, [prompt(RATIONALE, r=r) for r in known])
        best = (vectors[[at for at, _ in members]] @ bank.t()).argmax(1).tolist()
        result[s] = (float(np.mean([known[b] in k.own for b, (_, k) in zip(best, members)])), len(members))
    return result


def is_doubly_right(pairs, gold, right):
    """pairs: the five best (category, rationale), best first; right: the rationales of the category gold."""
    counts = {}
    for c, r in pairs:
        counts[c] = counts.get(c, 0) + 1
        if c == gold and r in right:
            return max(counts, key=counts.get) == gold  # of equal counts the first met
    return False


def candidates(texts, s):
    """{name: right rationales} of a set's categories, those of one name together."""
    found = {}
    for k in texts.classes:
        if k.set == s:
            found.setdefault(k.names[0], set()).update(k.own or k.collected)
    return found


def keep_best(best, joint, pairs):
    """best: (probabilities, pairs) [n, at most 5] so far; joint: P(c, r | I) of more pairs [n, m]."""
    p, pairs = torch.cat([best[0], joint], 1), torch.cat([best[1], pairs.expand(len(joint), -1)], 1)
    top = p.topk(min(5, p.shape[1]), 1).indices
    return p.gather(1, top), pairs.gather(1, top)


@torch.no_grad()
def doubly_right(model, bpe, texts, photos, rows, vectors):
    result, together = {}, {"ecor": [], "independent": []}
    for s, members in by_set(texts, photos, rows):
        right = candidates(texts, s)
        names, known = sorted(right), sorted(set().union(*right.values()))
        members = [(at, k.names[0]) for at, k in members if right[k.names[0]]]
        if not members:
            continue
        scaled = model.scale() * vectors[[at for at, _ in members]]

        def among(strings):
            return (scaled @ encode_texts(model, bpe, strings).t()).softmax(1)

        of_name = among([prompt(CATEGORY, c=n) for n in names])
        of_rationale = among([prompt(RATIONALE, r=r) for r in known])
        none = scaled.new_zeros(len(members), 0)
        best = {m: (none, none.long()) for m in together}
        marginal = {"ecor": torch.zeros_like(of_name), "independent": of_name}
        for j, r in enumerate(known):
            given = among([prompt(CONDITIONAL_B, c=n, r=r) for n in names]) * of_rationale[:, j:j + 1]
            marginal["ecor"] += given
            pairs = torch.arange(len(names)) * len(known) + j
            best["ecor"] = keep_best(best["ecor"], given, pairs)
            best["independent"] = keep_best(best["independent"], of_name * of_rationale[:, j:j + 1], pairs)
        result[s] = {}, len(members)
        for m, (_, pairs) in best.items():
            seen = []
            for (_, name), first, five in zip(members, marginal[m].argmax(1).tolist(), pairs.tolist()):
                five = [(names[p // len(known)], known[p % len(known)]) for p in five]
                seen.append((names[first] == name, is_doubly_right(five, name, right[name])))
            result[s][0][m] = tuple(np.mean(seen, 0).tolist())
            together[m] += seen
    if result:
        result["all"] = {m: tuple(np.mean(seen, 0).tolist()) for m, seen in together.items()}, len(together["ecor"])
    return result
