"""Command line: python3 -m tools.train pack|tokenizer|pretrain|ecor|export|evaluate  (run in the repository's root).

Everything big goes to --work (packed photos, checkpoints); see README.md for the order of the commands.
"""
import argparse
import os
import time

import torch
import torch.nn.functional as F

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
        s.add_argument("--labels", default=os.path.join(ROOT, "weights", "labels", "everyday.json"))
        s.add_argument("--category-map", default=os.path.join(HERE, "category_map.json"))
        s.add_argument("--threads", type=int, default=os.cpu_count())
        return s

    add("pack", "decode all photos once into arrays under --work")
    add("tokenizer", "learn the vocabulary, into --work/tokenizer (needs the tokenizers package)")
    for name, minutes, rate in (("pretrain", 0, 6e-4), ("ecor", 0, 1e-4)):
        s = add(name, "train from scratch" if name == "pretrain" else "fine-tune with ECOR's loss")
        s.add_argument("--steps", type=int, default=3300 if name == "pretrain" else 350)
        s.add_argument("--minutes", type=float, default=minutes, help="end after this time instead of --steps")
        s.add_argument("--batch", type=int, default=128 if name == "pretrain" else 96)
        s.add_argument("--rate", type=float, default=rate)
        s.add_argument("--warmup", type=int, default=100 if name == "pretrain" else 20)
        s.add_argument("--average", type=float, default=0.998 if name == "pretrain" else 0.98)
        s.add_argument("--seed", type=int, default=1)
        s.add_argument("--float32", action="store_true", help="no bfloat16 autocast")
        s.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
        s.add_argument("--from", dest="source", help="model folder to start from" + (
            "" if name == "pretrain" else " (default: the averaged weights of --work/pretrain/last.pt)"))
    return p


def load_texts(a):
    from .texts import Texts
    return Texts(a.data, a.labels, a.category_map)


def command_pack(a):
    from . import data
    data.pack(a.data, os.path.join(a.work, "packed"))


def command_tokenizer(a):
    from . import bpe, texts
    size = bpe.train(load_texts(a).corpus() + texts.outside_corpus(a.data), os.path.join(a.work, "tokenizer"))
    log("%d tokens" % size)


def command_pretrain(a):
    from . import bpe, data, model, train
    from .texts import CATEGORY, prompt
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    tokens = bpe.Bpe.load(os.path.join(a.work, "tokenizer"))
    net = model.Clip(model.mini_config(len(tokens.vocab), tokens.start, tokens.end))
    options = train.Options(kind=a.command, steps=a.steps, minutes=a.minutes, batch=a.batch, rate=a.rate, seed=a.seed,
                            warmup=a.warmup, average=a.average, bfloat16=not a.float32, save_every=a.save_every)
    run = train.Run(load_texts(a), data.Photos(os.path.join(a.work, "packed"), "train"), tokens, net, options,
                    os.path.join(a.work, a.command), log, threads=a.threads)
    last = os.path.join(run.folder, "last.pt")
    if os.path.exists(last):
        run.restore(last)
        log("resumed at step %d" % run.step)
    else:
        rows = run.sampler.draw(256)
        ids = [tokens.encode(prompt(CATEGORY, c=n)) for n in run.bank.names]
        train.centre(net, F.interpolate(data.normalise(run.photos.batch(rows)), (48, 48), mode="area"), model.pad_texts(ids))
        run.average = {n: p.detach().clone() for n, p in net.named_parameters()}
    log("%d parameters, %d photos, %d names; %s" % (
        sum(p.numel() for p in net.parameters()), len(run.photos), len(run.bank.names), options))
    run.loop(every=10)


def main(arguments=None):
    a = parser().parse_args(arguments)
    if not a.data:
        raise SystemExit("no data folder: set ECOR_DATA or give --data")
    globals()["command_" + a.command](a)
