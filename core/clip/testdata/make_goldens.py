"""Writes the tiny random CLIP checkpoints and the reference values beside this file.

Reference classes: transformers CLIPModel (eager attention) and CLIPTokenizer, float32, one thread.
"""

import hashlib
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

PINNED = {torch: "2.15.0", transformers: "5.23.0", tokenizers: "0.23.3", np: "2.4.6"}
for module, version in PINNED.items():
    found = module.__version__.split("+")[0]
    assert found == version, f"{module.__name__} {found}, the goldens were made with {version}"

HERE = Path(__file__).parent
MERGES = 126
BOS, EOS = "<|startoftext|>", "<|endoftext|>"
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
TEMPLATES = {
    "category": ["A photo of a {c}.", "This is a photo of a {c}"],
    "rationale": ["This is a photo of an object because there is {r}"],
    "conditional": ["This is a photo of a {c} because there is {r}"],
}
CORPUS = """this is a photo of a zebra because there is black and white stripes
this is a photo of an object because there is a long neck and brown spots
a photo of a cat because there is whiskers, sharp claws and soft fur
a photo of a red apple on the table, with a green leaf and a short stem
a small bird with a yellow beak, two wings and blue feathers in the sky
this is a photo of a boat on the water because there is a white sail"""
TEXTS = [
    "a photo of a zebra",
    "This is a photo of a cat because there is whiskers",
    "Größe 12 °C, naïve!",
    "",
    "black and white stripes and brown spots and blue feathers and soft fur and a long neck",
]


def byte_symbols():
    """The 256 printable characters that stand for the bytes, in CLIP's vocabulary order."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [b for b in range(256) if b not in kept]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(len(moved))]


def train_merges(corpus, count):
    """The `count` most frequent pairs, one at a time; ties go to the smaller pair."""
    words = Counter(tuple(w[:-1]) + (w[-1] + "</w>",) for w in corpus.replace(",", " , ").split())
    merges = []
    while len(merges) < count:
        pairs = Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        merged = Counter()
        for word, n in words.items():
            out = []
            for symbol in word:
                if out and (out[-1], symbol) == best:
                    out[-1] = out[-1] + symbol
                else:
                    out.append(symbol)
            merged[tuple(out)] += n
        words = merged
    return merges


def make_tokenizer(context):
    symbols = byte_symbols()
    merges = train_merges(CORPUS, MERGES)
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(m) for m in merges] + [BOS, EOS]
    assert len(set(tokens)) == len(tokens)
    vocab = {t: i for i, t in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=context), tokens, merges


def randomise(model, seed):
    """Gives every parameter a spread at which a wrong order, scale or missing bias shows.

    Values are rounded to bfloat16, which halves what the files take in a packed repository.
    """
    g = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=g)
        if name == "logit_scale":
            p.data.fill_(math.log(20))
        elif "norm" in name:
            p.data.copy_(noise * 0.3 + (1 if name.endswith("weight") else 0))
        elif "embedding" in name and "patch" not in name:
            p.data.copy_(noise * 0.5)
        elif name.endswith("bias"):
            p.data.copy_(noise * 0.2)
        else:
            p.data.copy_(noise * (1.2 / math.sqrt(p[0].numel())))
        if name != "logit_scale":
            p.data.copy_(p.data.bfloat16())


def write_safetensors(path, tensors, metadata):
    """Tensors sorted by name, F32 and I32 before U8 so that all stay aligned; deterministic bytes."""
    codes = {"float32": "F32", "int32": "I32", "uint8": "U8"}
    arrays = {k: np.ascontiguousarray(np.asarray(v)) for k, v in tensors.items()}
    arrays = {k: v.reshape(np.shape(tensors[k])) for k, v in arrays.items()}
    names = sorted(arrays, key=lambda k: (arrays[k].dtype == np.uint8, k))
    header, at = {"__metadata__": dict(sorted(metadata.items()))}, 0
    for name in names:
        a = arrays[name]
        header[name] = {"dtype": codes[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(arrays[n].tobytes() for n in names))


def browser_weights(path, name, model, tokens, merges, resize, source):
    """The same checkpoint as docs/architecture.md's ecor-weights-1, scheme float32."""
    tensors = {k: v.numpy() for k, v in model.state_dict().items() if not k.endswith("position_ids")}
    patch = "vision_model.embeddings.patch_embedding.weight"
    tensors[patch] = tensors[patch].reshape(len(tensors[patch]), -1)
    tensors["tokenizer.vocab"] = np.frombuffer("".join(t + "\n" for t in tokens).encode(), np.uint8)
    tensors["tokenizer.merges"] = np.frombuffer("".join(f"{a} {b}\n" for a, b in merges).encode(), np.uint8)
    metadata = {
        "format": "ecor-weights-1",
        "name": name,
        "license": "Apache-2.0",
        "scheme": "float32",
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "projection_dim": model.config.projection_dim,
        "image.resize": resize,
        "image.crop": model.config.vision_config.image_size,
        "image.mean": " ".join(map(str, MEAN)),
        "image.std": " ".join(map(str, STD)),
        "vision.image_size": model.config.vision_config.image_size,
        "vision.patch_size": model.config.vision_config.patch_size,
        "text.vocab_size": len(tokens),
        "text.context_length": model.config.text_config.max_position_embeddings,
        "text.bos": tokens.index(BOS),
        "text.eos": tokens.index(EOS),
    }
    for tower, c in ("vision", model.config.vision_config), ("text", model.config.text_config):
        metadata[f"{tower}.hidden_size"] = c.hidden_size
        metadata[f"{tower}.intermediate_size"] = c.intermediate_size
        metadata[f"{tower}.layers"] = c.num_hidden_layers
        metadata[f"{tower}.heads"] = c.num_attention_heads
        metadata[f"{tower}.activation"] = c.hidden_act
        metadata[f"{tower}.layer_norm_eps"] = c.layer_norm_eps
    for kind, patterns in TEMPLATES.items():
        metadata[f"template.{kind}"] = "\n".join(patterns)
    write_safetensors(path, tensors, {k: str(v) for k, v in metadata.items()})


def tokenise(tokenizer, context):
    """(T, L) ids cut to the context (end token kept) and padded with the end token, and (T,) lengths."""
    rows = [tokenizer(t, truncation=True, max_length=context)["input_ids"] for t in TEXTS]
    width = max(map(len, rows))
    assert width <= context and all(r[-1] == tokenizer.eos_token_id for r in rows)
    ids = np.array([r + [tokenizer.eos_token_id] * (width - len(r)) for r in rows], np.int32)
    return ids, np.array([len(r) for r in rows], np.int32)


def make(name, seed, vision, text, projection, resize, legacy_eos, hidden_states, slow_files):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    context = text["max_position_embeddings"]
    tokenizer, tokens, merges = make_tokenizer(context)
    text["vocab_size"] = len(tokens)
    if legacy_eos:
        text |= {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    else:
        eos = tokens.index(EOS)
        text |= {"bos_token_id": tokens.index(BOS), "eos_token_id": eos, "pad_token_id": eos}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = CLIPModel(config).eval()
    randomise(model, seed)

    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    reread = CLIPModel(config).eval()
    reread.load_state_dict(load_file(folder / "model.safetensors"))
    config.architectures = ["CLIPModel"]
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    side = vision["image_size"]
    CLIPImageProcessorPil(
        size={"shortest_edge": resize}, crop_size={"height": side, "width": side}, image_mean=MEAN, image_std=STD
    ).save_pretrained(folder)
    if slow_files:
        vocab = json.dumps({t: i for i, t in enumerate(tokens)}, ensure_ascii=False, separators=(",", ":"))
        (folder / "vocab.json").write_text(vocab + "\n")
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    browser_weights(folder / "weights.safetensors", name, model, tokens, merges, resize, folder / "model.safetensors")

    ids, lengths = tokenise(tokenizer, context)
    pixels = torch.randn((3, 3, side, side), generator=torch.Generator().manual_seed(seed + 1))
    with torch.no_grad():
        out = reread(input_ids=torch.from_numpy(ids).long(), pixel_values=pixels, output_hidden_states=True)
        first = reread.vision_model.pre_layrnorm(reread.vision_model.embeddings(pixels))
        assert torch.equal(out.vision_model_output.hidden_states[0], first)
    goldens = {
        "pixel_values": pixels.numpy(),
        "image_embeds": out.image_embeds.numpy(),
        "input_ids": ids,
        "lengths": lengths,
        "texts": np.frombuffer("".join(t + "\n" for t in TEXTS).encode(), np.uint8),
        "text_embeds": out.text_embeds.numpy(),
        "logits_per_image": out.logits_per_image.numpy(),
    }
    if hidden_states:
        for i, h in enumerate(out.vision_model_output.hidden_states):
            goldens[f"vision_hidden.{i}"] = h.numpy()
        for i, h in enumerate(out.text_model_output.hidden_states):
            h = h.numpy().copy()
            for row, n in enumerate(lengths):
                h[row, n:] = 0
            goldens[f"text_hidden.{i}"] = h
    write_safetensors(folder / "goldens.safetensors", goldens, {"transformers": transformers.__version__})
    print(name, "ids", ids.shape, "lengths", lengths.tolist(), "\n", out.logits_per_image.numpy().round(2))


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    make(
        "tiny",
        seed=20261122,
        vision=dict(image_size=24, patch_size=8, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                    num_attention_heads=2, hidden_act="quick_gelu"),
        text=dict(max_position_embeddings=20, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                  num_attention_heads=2, hidden_act="quick_gelu"),
        projection=24, resize=26, legacy_eos=False, hidden_states=True, slow_files=True,
    )
    make(
        "tiny-gelu",
        seed=1234,
        vision=dict(image_size=12, patch_size=4, hidden_size=48, intermediate_size=80, num_hidden_layers=1,
                    num_attention_heads=3, hidden_act="gelu", layer_norm_eps=1e-3),
        text=dict(max_position_embeddings=16, hidden_size=16, intermediate_size=40, num_hidden_layers=2,
                  num_attention_heads=1, hidden_act="gelu", layer_norm_eps=1e-2),
        projection=20, resize=12, legacy_eos=True, hidden_states=False, slow_files=False,
    )
