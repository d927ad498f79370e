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


def category_accuracy(model, bpe, texts, photos, rows, vectors):
    per_set = {}
    for at, i in enumerate(rows):
        s, c, _, _ = photos.rows[i]
        per_set.setdefault(s, []).append((at, texts.classes[texts.index[s, c]].names[0]))
    result = {}
    for s, members in sorted(per_set.items()):
        names = sorted({k.names[0] for k in texts.classes if k.set == s})
        bank = encode_texts(model, bpe, [prompt(CATEGORY, c=n) for n in names])
        best = (vectors[[at for at, _ in members]] @ bank.t()).argmax(1).tolist()
        result[s] = (float(np.mean([names[b] == n for b, (_, n) in zip(best, members)])), len(members))
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
    per_set = {}
    for at, i in enumerate(rows):
        s, c, _, _ = photos.rows[i]
        per_set.setdefault(s, []).append((at, texts.classes[texts.index[s, c]]))
    result = {}
    for s, members in sorted(per_set.items()):
        known = sorted({r for k in texts.classes if k.set == s for r in k.own})
        members = [(at, k) for at, k in members if k.own]
        if not members or not known:
            continue
        bank = encode_texts(model, bpe, [prompt(RATIONALE, r=r) for r in known])
        best = (vectors[[at for at, _ in members]] @ bank.t()).argmax(1).tolist()
        result[s] = (float(np.mean([known[b] in k.own for b, (_, k) in zip(best, members)])), len(members))
    return result
