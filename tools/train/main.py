"""Command line: python3 -m tools.train pack|tokenizer|pretrain|ecor|export|evaluate  (run in the repository's root).

Everything big goes to --work (packed photos, checkpoints); see README.md for the order of the commands.
"""
import argparse
import os
import time

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def log(text):
    print(time.strftime("%H:%M:%S "), text, flush=True)


def parser():
    p = argparse.ArgumentParser(prog="python3 -m tools.train", description=__doc__)
    sub = p.add_subparsers(dest="command", required=True)

    def add(name, text):
        s = sub.add_parser(name, help=text)
        s.add_argument("--data", default=os.environ.get("ECOR_DATA"), help="data folder (default: $ECOR_DATA)")
        s.add_argument("--work", default=os.environ.get("ECOR_TRAIN", "/tmp/ecor-train"), help="scratch folder")
        s.add_argument("--labels", default=os.path.join(ROOT, "weights", "labels"), help="folder of label packs, or one")
        s.add_argument("--category-map", default=os.path.join(HERE, "category_map.json"))
        s.add_argument("--threads", type=int, default=os.cpu_count())
        return s

    s = add("pack", "decode all photos once into arrays under --work")
    s.add_argument("--size", type=int, default=96, help="side of the packed photos in pixels")
    add("tokenizer", "learn the vocabulary, into --work/tokenizer (needs the tokenizers package)")
    for name, steps, batch, rate, muon, warmup, average in (("pretrain", 4500, 256, 1e-3, 0.01, 50, 0.998),
                                                            ("ecor", 500, 128, 1e-4, 0.001, 20, 0.98)):
        s = add(name, "train from scratch" if name == "pretrain" else "fine-tune with ECOR's loss")
        s.add_argument("--steps", type=int, default=steps)
        s.add_argument("--minutes", type=float, default=0, help="end after this much time instead of --steps")
        s.add_argument("--batch", type=int, default=batch)
        s.add_argument("--rate", type=float, default=rate)
        s.add_argument("--muon", type=float, default=muon, help="learning rate of Muon; 0: AdamW for all weights")
        s.add_argument("--warmup", type=int, default=warmup)
        s.add_argument("--average", type=float, default=average, help="decay of the averaged weights")
        s.add_argument("--seed", type=int, default=1)
        s.add_argument("--bfloat16", action="store_true", help="bfloat16 autocast: faster on some CPUs, slower on others")
        s.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to train: cpu, or one GPU")
        s.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
        if name == "pretrain":
            s.add_argument("--init", help="CLIPModel folder to go on from; its patches may have another size")
            s.add_argument("--patch", type=int, default=16, help="side of a patch in pixels")
            s.add_argument("--size", type=int, default=96, help="side of the model's photos in pixels, whole patches; pack them as large")
            s.add_argument("--mix", type=float, default=0, help="share of the photos that are two photos in one (CutMix, MixUp)")
        else:
            few = s.add_mutually_exclusive_group()
            few.add_argument("--lora", type=int, default=0, metavar="RANK", help="train low-rank changes only, not all weights")
            few.add_argument("--visual-prompts", type=int, default=0, metavar="N", help="train N tokens before each layer of the image "
                             "tower only; such a model can be evaluated, not exported")
            few.add_argument("--texts-only", action="store_true", help="train the text tower only; photos are embedded once; into --work/ecor-texts")
            s.add_argument("--rivals", type=int, default=64, help="categories that stage 2 compares under a rationale")
            s.add_argument("--foreign", type=float, default=0, help="share of the photos whose group's rationale is any category's")
            s.add_argument("--control", action="store_true", help="plain CLIP loss instead, into --work/control")
            s.add_argument("--from", dest="source", help="CLIPModel folder to start from (default: the averaged "
                           "weights of --work/pretrain/last.pt)")
    s = add("export", "write a checkpoint as a CLIPModel folder, with calibration.json")
    s.add_argument("checkpoint", help="a last.pt")
    s.add_argument("out")
    s.add_argument("--plain", action="store_true", help="the weights of the last step, not their average")
    s.add_argument("--blend", type=float, default=1, metavar="SHARE", help="how much of what fine-tuning changed is kept, 0 to 1")
    s = add("evaluate", "top-1 per set and both conditional templates, in float32")
    s.add_argument("model", help="a CLIPModel folder, or a last.pt")
    s.add_argument("--doubly-right", action="store_true", help="also RR of ecor and independent; takes minutes")
    s.add_argument("--part", choices=("val", "test"), default="val")
    s.add_argument("--photos", type=int, default=0, help="only this many, drawn at random")
    return p


def load_texts(a):
    from .texts import Texts
    return Texts(a.data, a.labels, a.category_map)


def open_model(path):
    """The model of a CLIPModel folder or of a run's last.pt, and the folder of its tokenizer."""
    from . import export
    if os.path.isdir(path):
        return export.load(path), path
    state = export.read_checkpoint(path)
    return export.from_checkpoint(state), state["source"]


def command_pack(a):
    from . import data
    data.pack(a.data, os.path.join(a.work, "packed"), a.size)


def command_tokenizer(a):
    from . import bpe, texts
    size = bpe.train(load_texts(a).corpus() + texts.outside_corpus(a.data), os.path.join(a.work, "tokenizer"))
    log("%d tokens" % size)


def train_run(a, net, tokens, source=None):
    from . import data, train
    kind = "control" if getattr(a, "control", False) else a.command
    options = train.Options(kind=kind, steps=a.steps, minutes=a.minutes, batch=a.batch, rate=a.rate, muon=a.muon, seed=a.seed,
                            warmup=a.warmup, average=a.average, bfloat16=a.bfloat16, save_every=a.save_every, lora=getattr(a, "lora", 0),
                            mix=getattr(a, "mix", 0), foreign=getattr(a, "foreign", 0), visual=getattr(a, "visual_prompts", 0),
                            texts_only=getattr(a, "texts_only", False), rivals=getattr(a, "rivals", 64))
    folder = os.path.join(a.work, kind + ("-texts" if options.texts_only else ""))
    run = train.Run(load_texts(a), data.Photos(os.path.join(a.work, "packed"), "train"), tokens, net, options, folder, log,
                    source=source, threads=a.threads, device=a.device)
    log("%d parameters, %d photos, %d names; %s" % (
        sum(p.numel() for p in net.parameters()), len(run.photos), len(run.bank.names), options))
    last = os.path.join(run.folder, "last.pt")
    resumed = os.path.exists(last)
    if resumed:
        run.restore(last)
        log("resumed at step %d" % run.step)
    return run, resumed


def command_pretrain(a):
    from . import bpe, data, export, model, train
    from .texts import CATEGORY, prompt
    if a.size % a.patch:
        raise SystemExit("--size %d is not a multiple of --patch %d" % (a.size, a.patch))
    torch.manual_seed(a.seed)
    folder = a.init or os.path.join(a.work, "tokenizer")
    tokens = bpe.Bpe.load(folder)
    net = model.Clip(model.mini_config(len(tokens.vocab), tokens.start, tokens.end, a.patch, a.size))
    if a.init:
        model.adopt(net, export.load(a.init))
    run, resumed = train_run(a, net, tokens, source=folder)
    if not resumed and not a.init:
        pixels = run.photos.batch(run.sampler.draw(256))
        ids = [tokens.encode(prompt(CATEGORY, c=n)) for n in run.bank.names]
        train.centre(net, data.normalise(pixels, a.size).to(a.device), model.on(a.device, model.pad_texts(ids)))
        run.average = {n: p.detach().clone() for n, p in net.named_parameters()}
    run.loop()


def command_ecor(a):
    from . import bpe
    torch.manual_seed(a.seed)
    net, folder = open_model(a.source or os.path.join(a.work, "pretrain", "last.pt"))
    run, _ = train_run(a, net, bpe.Bpe.load(folder), source=folder)
    run.loop()


def command_export(a):
    import json
    import numpy as np
    from . import bpe, data, export
    from .texts import CATEGORY, CONDITIONAL_A, CONDITIONAL_B, RATIONALE, prompt
    torch.set_num_threads(a.threads)
    state = export.read_checkpoint(a.checkpoint)
    if state["options"].get("visual"):
        raise SystemExit("%s has deep visual prompts, for which CLIPModel's layout has no place; evaluate takes the checkpoint itself" % a.checkpoint)
    net = export.from_checkpoint(state, a.plain)
    folder = state["source"]
    if a.blend < 1:
        if not state["began"]:
            raise SystemExit("--blend %g: %s is no fine-tuning checkpoint" % (a.blend, a.checkpoint))
        export.blend(net, state["began"], a.blend)
    tokens, texts = bpe.Bpe.load(folder), load_texts(a)
    photos = data.Photos(os.path.join(a.work, "packed"), "train")
    random = np.random.RandomState(0)
    strings = []
    for c, rationales in texts.pack.items():
        if not rationales:
            continue
        r = rationales[random.randint(len(rationales))]
        strings += [prompt(t, c=c, r=r) for t in (CATEGORY, RATIONALE, CONDITIONAL_A, CONDITIONAL_B)]
    strings = [strings[i] for i in random.permutation(len(strings))[:256]]
    pixels = photos.batch(np.sort(data.Sampler(photos.rows, 0).draw(256)))
    extra = {"calibration.json": json.dumps(export.calibrate(net, tokens, pixels, strings), separators=(",", ":")) + "\n"}
    export.export(net, folder, a.out, extra)
    log("exported step %d to %s" % (state["step"], a.out))


def command_evaluate(a):
    import numpy as np
    from . import bpe, data, evaluate
    torch.set_num_threads(a.threads)
    net, folder = open_model(a.model)
    tokens, texts = bpe.Bpe.load(folder), load_texts(a)
    photos = data.Photos(os.path.join(a.work, "packed"), a.part)
    rows = [i for i, (s, c, _, _) in enumerate(photos.rows) if s != "imagenet-samples"]
    if a.photos:
        rows = [rows[i] for i in np.random.RandomState(0).permutation(len(rows))[:a.photos]]
    vectors = evaluate.encode_photos(net, photos, rows)
    together = (net, tokens, texts, photos, rows, vectors)
    for s, (accuracy, n) in evaluate.category_accuracy(*together).items():
        log("category   %-16s %5.1f %%  (%d photos)" % (s, 100 * accuracy, n))
    for pack, (accuracy, n, names) in evaluate.pack_accuracy(*together).items():
        log("label pack %-16s %5.1f %%  (%d photos, %d names)" % (pack, 100 * accuracy, n, names))
    for s, (accuracy, n) in evaluate.rationale_accuracy(*together).items():
        log("rationale  %-16s %5.1f %%  (%d photos)" % (s, 100 * accuracy, n))
    for template, (accuracy, n) in evaluate.stage2_accuracy(*together).items():
        log("given r    %5.1f %%  (%d photos)  %s" % (100 * accuracy, n, template))
    if not a.doubly_right:
        return
    for s, (methods, n) in evaluate.doubly_right(*together).items():
        log("%-27s %s  (%d photos)" % (s, "  ".join("%s: top-1 %.1f %%, RR %.1f %%" % (m, 100 * top1, 100 * rr)
                                                    for m, (top1, rr) in methods.items()), n))


def main(arguments=None):
    a = parser().parse_args(arguments)
    if not a.data:
        raise SystemExit("no data folder: set ECOR_DATA or give --data")
    globals()["command_" + a.command](a)
