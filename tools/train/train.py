"""Pre-training and ECOR fine-tuning.

Contract
  Run(texts, photos, bpe, model, options)   one training run; run.loop() trains to its end and saves.
  Options                                   everything that shapes a run; the model card has those of weights/ecor-mini.

A step of `pretrain` sums
  - two cross entropies of the photo against category prompts: among its own set's names, and among everyday
    names (about 400 names are encoded at every step, their shared prefix once), where a share `mix` of the photos are two
    photos in one;
  - at most steps half a multi-positive CLIP loss with rationale prompts (every second step) or with conditional
    prompts (every fourth).
A step of `ecor` takes photos of one label set, in groups that share a rationale, and sums the CLIP loss with rationale
prompts (against other rationales of the set: stage 1), the CLIP loss with conditional prompts (a photo against the
set's categories under its group's rationale: stage 2; counted twice), and half the category loss as an anchor.
With texts_only photos are embedded once and the text tower is all that is trained.
A step of `control` has the plain CLIP loss with captions of category and rationale in their place, for the same photos and
rationales: what ECOR's loss is compared with.

State is saved whole (weights, average, optimizer, every random generator), so a resumed run equals an
uninterrupted one. Photos start small and grow: see STAGES.
"""
import math
import os
import time
from collections import namedtuple

import numpy as np
import torch

from . import data, labelsets, lora, losses, muon, prompts, visual
from .blocked import allowed
from .export import read_checkpoint
from .model import on, pad_texts
from .texts import CATEGORY, CONDITIONAL_A, CONDITIONAL_B, OTHER_CATEGORY, OTHER_RATIONALE, RATIONALE, prompt

Options = namedtuple("Options", "kind steps minutes batch rate muon warmup decay average seed bfloat16 save_every stages lora mix foreign "
                     "visual texts_only rivals",
                     defaults=("pretrain", 4000, 0, 256, 1e-3, 0.01, 100, 0.1, 0.998, 1, False, 180, None, 0, 0, 0, 0, False, 64))
# (until this share of the run, share of the model's side, patches kept)
STAGES = {"pretrain": ((0.55, 2 / 3, None), (1.0, 1, None)), "ecor": ((1.0, 1, None),), "control": ((1.0, 1, None),)}

# Of a fine-tuning batch: photos of a group, rationales that stage 1 compares.
PHOTOS, RATIONALES = 8, 128


def labels_fit(pairs, batch, labels):
    """bool [photos, pairs]: whether a pair's category is the photo's, and has the pair's rationale."""
    return torch.tensor([[bool(c == t) and r in labels.rationales[c] for c, r in pairs] for t in batch.category])


@torch.no_grad()
def centre(model, pixels, tokens):
    """Fresh weights give nearly the same vector for every photo, and for every text. Set the biases of the last
    LayerNorms so that the mean vector is zero: training then starts with vectors that differ.
    """
    model.eval()
    model.vision_model.post_layernorm.bias.sub_(model.vision_model(pixels).mean(0))
    model.text_model.final_layer_norm.bias.sub_(model.text_model(tokens).mean(0))


class Run:
    def __init__(self, texts, photos, bpe, model, options, folder, log=print, source=None, threads=1, device="cpu"):
        self.texts, self.photos, self.bpe, self.model, self.o, self.folder = texts, photos, bpe, model, options, folder
        self.log, self.source, self.threads, self.device = log, source, threads, torch.device(device)
        model.to(self.device)
        # Where fine-tuning begins: export --blend mixes with it.
        self.began = None if options.kind == "pretrain" else {n: p.detach().clone() for n, p in model.named_parameters()}
        self.row_class = np.array([texts.index[s, c] for s, c, _, _ in photos.rows])
        self.bank = prompts.NameBank(texts, self.row_class.tolist())
        self.others = {}
        for c in sorted(set(self.row_class.tolist())):
            if not allowed(texts.classes[c].names[0]):
                raise ValueError("category %r of %s: its name is one that is never trained on (see blocked.py)" % (
                    texts.classes[c].names[0], texts.classes[c].set))
            self.others.setdefault(texts.classes[c].set, []).append(c)
        if options.lora:
            lora.attach(model, options.lora)
        if options.visual:
            visual.attach(model, options.visual)
        if options.texts_only:
            for n, p in model.named_parameters():
                p.requires_grad_(n.startswith("text"))
        self.optimizers = muon.optimizers(model, options.rate, options.muon, options.decay,
                                          torch.bfloat16 if options.bfloat16 else torch.float32)
        self.average = {n: p.detach().clone() for n, p in model.named_parameters()}
        self.sampler = data.Sampler(photos.rows, options.seed)
        self.label_sets = labelsets.label_sets(texts, self.row_class, self.sampler.weight)
        self.random = np.random.RandomState(options.seed + 1)
        self.groups = np.random.RandomState(options.seed + 4)
        self.torch_random = torch.Generator().manual_seed(options.seed + 2)
        torch.manual_seed(options.seed + 3)
        self.vectors = None  # of all photos, where the image tower is not trained
        self.step, self.seconds, self.shown = 0, 0.0, {}
        self.patch = model.config["vision_config"]["patch_size"]

    # --- state ---------------------------------------------------------------------------------------------
    def state(self):
        return {"model": self.model.state_dict(), "average": self.average, "optimizers": [x.state_dict() for x in self.optimizers],
                "step": self.step, "seconds": self.seconds, "sampler": self.sampler.state(),
                "random": self.random.get_state(), "groups": self.groups.get_state(), "torch_random": self.torch_random.get_state(),
                "torch_global": torch.get_rng_state(), "config": self.model.config, "source": self.source,
                "began": self.began, "options": self.o._asdict()}

    def save(self, name="last.pt"):
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, name)
        torch.save(self.state(), path + ".new")
        os.replace(path + ".new", path)

    def restore(self, path):
        state = read_checkpoint(path)
        for name, now in self.o._asdict().items():
            before = state["options"].get(name, Options._field_defaults.get(name))
            if before != now and name != "save_every":
                raise ValueError("%s: that run has %s %r, not %r; go on with the same options, or in another folder" % (
                    path, name, before, now))
        self.model.load_state_dict(state["model"])
        self.average = {n: p.to(self.device) for n, p in state["average"].items()}
        self.began = state["began"]
        for x, saved in zip(self.optimizers, state["optimizers"]):
            x.load_state_dict(saved)
        self.step, self.seconds = state["step"], state["seconds"]
        self.sampler.restore(state["sampler"])
        self.random.set_state(state["random"])
        self.groups.set_state(state["groups"])
        self.torch_random.set_state(state["torch_random"])
        torch.set_rng_state(state["torch_global"])

    # --- one step ------------------------------------------------------------------------------------------
    def progress(self):
        """Share of the run that is done: of its minutes if it was given any, else of its steps."""
        if self.o.minutes:
            return min(1.0, self.seconds / (60.0 * self.o.minutes))
        return min(1.0, self.step / self.o.steps)

    def rate(self):
        warm = min(1.0, (self.step + 1) / self.o.warmup)
        return self.o.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress())))

    def encode(self, strings):
        """Vectors of the strings. Long and short ones go in separately: less padding."""
        ids = [self.bpe.encode(s) for s in strings]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        cut = len(ids) * 3 // 4
        groups = [g for g in (order[:cut // 2], order[cut // 2:cut], order[cut:]) if g] if len(ids) > 96 else [order]
        vectors = torch.cat([self.model.text(on(self.device, pad_texts([ids[i] for i in g]))) for g in groups])
        back = torch.tensor([i for g in groups for i in g]).argsort()
        return vectors[back]

    def logits(self, images, strings, scale):
        vectors = self.encode(strings)
        with torch.autocast(self.device.type, enabled=False):  # logits need more than bfloat16's three digits
            return scale.float() * images.float() @ vectors.float().t()

    def names_loss(self, images, classes, scale, other, weight):
        draw = self.random.random_sample()
        template = CATEGORY if draw < 0.6 or self.o.kind != "pretrain" else \
            OTHER_CATEGORY[self.random.randint(len(OTHER_CATEGORY))]
        bank = self.bank
        chosen, at = bank.chosen(classes, self.random)
        names = bank.drawn(self.random, chosen)
        logits = self.logits(images, [prompt(template, c=n) for n in names], scale)
        loss = 0
        for c, w in ((classes, weight), (classes[other], 1 - weight)) if self.o.mix else ((classes, None),):
            w = None if w is None else w.to(self.device)
            for target, allowed_names in ((bank.own[c], bank.siblings[c]), (bank.common[c], bank.rivals[c])):
                loss = loss + losses.among(logits, at[target].to(self.device), allowed_names[:, chosen].to(self.device), 0.05, w)
        return loss

    def rationale_loss(self, images, classes, scale):
        pairs, positive = prompts.rationale_batch(self.texts, classes.tolist(), self.random)
        template = RATIONALE
        if self.o.kind == "pretrain" and self.random.random_sample() < 0.4:
            template = OTHER_RATIONALE[self.random.randint(len(OTHER_RATIONALE))]
        if not pairs:
            return images.sum() * 0
        logits = self.logits(images, [prompt(template, r=r) for _, r in pairs], scale)
        return losses.multi_positive(logits, positive.to(self.device))

    def conditional_loss(self, images, classes, scale, negatives):
        pairs, positive, target, same = prompts.conditional_batch(
            self.texts, classes.tolist(), self.random, self.others, negatives)
        template = CONDITIONAL_A if self.random.random_sample() < 0.35 else CONDITIONAL_B
        if not pairs:
            return images.sum() * 0
        logits = self.logits(images, [prompt(template, c=c, r=r) for c, r in pairs], scale)
        return (losses.multi_positive(logits, positive.to(self.device))
                + losses.among(logits, target.to(self.device), same.to(self.device))) / 2

    def stage1_loss(self, images, batch, labels, scale):
        """CLIP loss with rationale prompts: those of the batch and others of its label set."""
        drawn = set(batch.rationales)
        rest = [r for r in labels.listed if r not in drawn]
        listed = sorted(drawn | {rest[i] for i in self.random.permutation(len(rest))[:max(0, RATIONALES - len(drawn))]})
        true = [set(labels.rationales[c]) for c in batch.category]
        positive = torch.tensor([[r in t for r in listed] for t in true])
        return losses.multi_positive(self.logits(images, [prompt(RATIONALE, r=r) for r in listed], scale), positive.to(self.device))

    def stage2_loss(self, images, batch, labels, scale):
        """CLIP loss with conditional prompts. A photo is compared with its label set's categories under its group's
        rationale, a prompt with the photos of the batch.
        """
        rows, pairs, vectors = 0, [], []
        for g, r in enumerate(batch.rationales):
            mine = np.flatnonzero(batch.group == g)
            true = batch.category[mine]
            chosen = labels.rivals(r, true.tolist(), self.o.rivals, self.random)
            texts = self.encode([prompt(CONDITIONAL_B, c=labels.names[c], r=r) for c in chosen])
            with torch.autocast(self.device.type, enabled=False):
                logits = scale.float() * images[mine].float() @ texts.float().t()
            at = {c: i for i, c in enumerate(chosen)}
            target = torch.tensor([at[c] for c in true], device=self.device)
            compared = torch.from_numpy(labels.compared(true, chosen)).to(self.device)
            rows = rows + losses.among(logits, target, compared) / len(batch.rationales)
            for c in sorted(set(true)):
                pairs.append((c, r))
                vectors.append(texts[at[c]])
        with torch.autocast(self.device.type, enabled=False):
            logits = scale.float() * torch.stack(vectors).float() @ images.float().t()
        return (rows + losses.rows(logits, labels_fit(pairs, batch, labels).t().to(self.device))) / 2

    def caption_loss(self, images, batch, labels, scale):
        """Plain CLIP loss: captions of category and rationale, those of other photos as negatives."""
        pairs = set()
        for c, g in zip(batch.category, batch.group):
            r, own = batch.rationales[g], labels.rationales[c]
            pairs.add((c, r if r in own else own[self.random.randint(len(own))]))
        pairs = sorted(pairs)
        strings = [prompt(CONDITIONAL_B, c=labels.names[c], r=r) for c, r in pairs]
        return losses.multi_positive(self.logits(images, strings, scale), labels_fit(pairs, batch, labels).to(self.device))

    def augmented(self, rows, generator, side):
        return data.augment(self.photos.batch(rows), [self.photos.rows[i][2] for i in rows], generator, side, 0.5)

    @torch.no_grad()
    def embed(self):
        """Vectors [photos, d] of all photos, each augmented once."""
        generator, parts = torch.Generator().manual_seed(self.o.seed + 5), []
        for rows in np.array_split(np.arange(len(self.photos)), -(-len(self.photos) // 256)):
            pixels = self.augmented(rows, generator, self.model.side)
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.o.bfloat16):
                parts.append(self.model.image(pixels.to(self.device)))
        self.log("embedded %d photos" % len(self.photos))
        return torch.cat(parts)

    def one_step(self):
        o = self.o
        stages = o.stages or STAGES[o.kind]
        side, keep = next((round(share * self.model.side) // self.patch * self.patch, k) for until, share, k in stages if self.progress() < until or until >= 1)
        if o.kind == "pretrain":
            rows = self.sampler.draw(o.batch)
        else:
            labels = self.label_sets[self.groups.choice(len(self.label_sets), p=[share for _, share in self.label_sets])][0]
            batch = labels.draw(o.batch // PHOTOS, PHOTOS, o.foreign, self.groups)
            rows = batch.rows
        classes = torch.from_numpy(self.row_class[rows])
        mixed = int(o.batch * o.mix)
        plain = o.batch - mixed
        if o.texts_only:
            other = weight = None
            if self.vectors is None:
                self.vectors = self.embed()
        else:
            pixels, other, weight = data.mix(self.augmented(rows, self.torch_random, side), mixed, self.torch_random)
        for group in (g for x in self.optimizers for g in x.param_groups):
            group["lr"] = group["share"] * self.rate()
        self.model.train()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=o.bfloat16):
            images = self.vectors[rows] if o.texts_only else self.model.image(pixels.to(self.device), keep)
            scale = self.model.scale()
            names = self.names_loss(images, classes, scale, other, weight)
            images, classes = images[:plain], classes[:plain]
            parts = {"names": names}
            if o.kind == "pretrain":
                if self.step % 4 == 1:  # the longest texts: a third of the photos
                    few = plain // 3
                    parts["conditional"] = self.conditional_loss(images[:few], classes[:few], scale, 1)
                elif self.step % 2 == 0:
                    parts["rationale"] = self.rationale_loss(images, classes, scale)
                loss = names + 0.5 * sum(v for k, v in parts.items() if k != "names")
            elif o.kind == "ecor":
                parts["rationale"] = self.stage1_loss(images, batch, labels, scale)
                parts["conditional"] = self.stage2_loss(images, batch, labels, scale)
                loss = parts["rationale"] + 2 * parts["conditional"] + 0.5 * names
            else:
                parts["caption"] = self.caption_loss(images, batch, labels, scale)
                loss = 2 * parts["caption"] + 0.5 * names
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for x in self.optimizers:
            x.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
            keep_share = min(o.average, (1 + self.step) / (10 + self.step))
            for n, p in self.model.named_parameters():
                self.average[n].lerp_(p, 1 - keep_share)
        self.step += 1
        for k, v in parts.items():
            self.shown[k] = 0.95 * self.shown.get(k, v.item()) + 0.05 * v.item()
        return loss.item()

    # --- the loop ------------------------------------------------------------------------------------------
    def loop(self, every=10, after=None):
        """Trains to the end. after(run) is called at each save, for validation or an intermediate export."""
        torch.set_num_threads(self.threads)
        began, saved, shown_at, shown_step = time.time(), time.time(), time.time(), self.step
        while self.progress() < 1:
            t = time.time()
            self.one_step()
            self.seconds += time.time() - t
            now = time.time()
            if self.step % every == 0:
                p = max(self.progress(), 1e-6)
                left = self.o.minutes * 60 - self.seconds if self.o.minutes else self.seconds * (1 - p) / p
                self.log("step %d  %.1f%%  %.0f photos/s  %s  scale %.1f  rate %.2g  left %d:%02d" % (
                    self.step, 100 * p, (self.step - shown_step) * self.o.batch / (now - shown_at),
                    "  ".join("%s %.3f" % kv for kv in sorted(self.shown.items())),
                    float(self.model.scale()), self.rate(), left // 60, left % 60))
                shown_at, shown_step = now, self.step
            if now - saved > self.o.save_every:
                self.save()
                saved = time.time()
                if after:
                    after(self)
        self.save()
        if after:
            after(self)
        self.log("done: %d steps, %.0f s of training, %.0f s in this process" % (self.step, self.seconds, time.time() - began))
