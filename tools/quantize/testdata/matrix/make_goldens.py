"""Writes goldens.safetensors: what transformers makes of the random checkpoints that variants.json describes.

Weights and photos come from a generator that matrix_test.go has too, so only results are stored: NAME.image (1, D)
and NAME.text (texts, D), normalised. Every value is a small integer times a power of two, exact in float32, float16 and
bfloat16.

The variants in open_clip's layout are computed a second time, from the stored names, by a forward pass written after
open_clip's definition, and compared with transformers.

To regenerate: pip install torch==2.15.0 transformers==5.23.0 numpy==2.4.6 pillow==13.0.0, then python make_goldens.py.
"""

import json
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

PINNED = {torch: "2.15.0", transformers: "5.23.0", np: "2.4.6"}
for module, version in PINNED.items():
    found = module.__version__.split("+")[0]
    assert found == version, f"{module.__name__} {found}, the goldens were made with {version}"

HERE = Path(__file__).parent
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
BOS, EOS = "<|startoftext|>", "<|endoftext|>"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXTS = [
    "a photo of a zebra",
    "This is a photo of a cat because there is whiskers",
    "Größe 12 °C, naïve!",
    "?",
    "black and white stripes " * 20,
]


def noise(name, count):
    """count signed bytes: FNV-1a of the name seeds splitmix64, whose words give eight values each, low byte first."""
    seed = 0xCBF29CE484222325
    for b in name.encode():
        seed = (seed ^ b) * 0x100000001B3 & (1 << 64) - 1
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count // 8 + 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z = z ^ z >> np.uint64(31)
    return z.astype("<u8").view(np.int8)[:count]


def values(variant, name, shape):
    """A tensor by its stored name."""
    if name == "logit_scale":
        return np.full(shape, 3, np.float32)
    k = noise(variant + "/" + name, int(np.prod(shape))).astype(np.float32).reshape(shape)
    norm = "norm" in name or "layrnorm" in name or "ln_" in name
    if norm and name.endswith("weight"):
        return (128 + np.floor(k / 4)) / np.float32(128)
    if len(shape) == 1 and "class" not in name:
        return k / np.float32(1 << 9)
    if "embedding" in name and "patch" not in name:
        return k / np.float32(1 << 8)
    fan_in = shape[0] if name.endswith(("visual.proj", "text_projection")) else int(np.prod(shape[1:]))
    return k / np.float32(1 << 6 + fan_in.bit_length() // 2)


def byte_symbols():
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [b for b in range(256) if b not in kept]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(len(moved))]


def merges(count):
    """The first count of: all pairs of letters that end a word, all pairs, then longer ones made of those."""
    pairs = [x + y for x in LETTERS for y in LETTERS]
    out = [(p[0], p[1] + "</w>") for p in pairs] + [(p[0], p[1]) for p in pairs]
    out += [(p, z + "</w>") for p in pairs for z in LETTERS] + [(p, z) for p in pairs for z in LETTERS]
    out += [(p, q + "</w>") for p in pairs[: count // len(pairs)] for q in pairs]
    assert len(out) >= count
    return out[:count]


def tokenizer(size, context):
    symbols = byte_symbols()
    m = merges(size - 514)
    tokens = symbols + [s + "</w>" for s in symbols] + [a + b for a, b in m] + [BOS, EOS]
    assert len(set(tokens)) == size
    return CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=m, model_max_length=context)


def open_clip_tensors(config, prefix):
    """Names and shapes of open_clip's CLIP."""
    m = config["model_cfg"]
    v, t, d = m["vision_cfg"], m["text_cfg"], m["embed_dim"]
    w, x = v["width"], t["width"]
    grid = v["image_size"] // v["patch_size"]
    out = {
        "logit_scale": (),
        "visual.class_embedding": (w,),
        "visual.positional_embedding": (grid * grid + 1, w),
        "visual.conv1.weight": (w, 3, v["patch_size"], v["patch_size"]),
        "visual.proj": (w, d),
        prefix + "token_embedding.weight": (t["vocab_size"], x),
        prefix + "positional_embedding": (t.get("context_length", 77), x),
        prefix + "text_projection": (x, d),
    }
    for name, n in ("visual.ln_pre", w), ("visual.ln_post", w), (prefix + "ln_final", x):
        out |= {name + ".weight": (n,), name + ".bias": (n,)}
    for tower, c in ("visual.", v), (prefix, t):
        n = c["width"]
        hidden = int(n * c.get("mlp_ratio", 4))
        for i in range(c["layers"]):
            p = f"{tower}transformer.resblocks.{i}."
            for ln in "ln_1", "ln_2":
                out |= {p + ln + ".weight": (n,), p + ln + ".bias": (n,)}
            out |= {p + "attn.in_proj_weight": (3 * n, n), p + "attn.in_proj_bias": (3 * n,)}
            out |= {p + "attn.out_proj.weight": (n, n), p + "attn.out_proj.bias": (n,)}
            out |= {p + "mlp.c_fc.weight": (hidden, n), p + "mlp.c_fc.bias": (hidden,)}
            out |= {p + "mlp.c_proj.weight": (n, hidden), p + "mlp.c_proj.bias": (n,)}
    return out


def open_clip_forward(state, config, prefix, pixels, ids):
    m = config["model_cfg"]
    act = (lambda x: x * torch.sigmoid(1.702 * x)) if m.get("quick_gelu") else F.gelu

    def norm(x, name, c):
        return F.layer_norm(x, x.shape[-1:], state[name + ".weight"], state[name + ".bias"], c.get("norm_kwargs", {}).get("eps", 1e-5))

    def transformer(x, tower, c, heads, mask):
        for i in range(c["layers"]):
            p = f"{tower}transformer.resblocks.{i}."
            attention = torch.nn.MultiheadAttention(c["width"], heads, batch_first=True)
            attention.load_state_dict({k.removeprefix(p + "attn."): s for k, s in state.items() if k.startswith(p + "attn.")})
            h = norm(x, p + "ln_1", c)
            x = x + attention(h, h, h, need_weights=False, attn_mask=mask)[0]
            h = F.linear(norm(x, p + "ln_2", c), state[p + "mlp.c_fc.weight"], state[p + "mlp.c_fc.bias"])
            x = x + F.linear(act(h), state[p + "mlp.c_proj.weight"], state[p + "mlp.c_proj.bias"])
        return x

    v, t = m["vision_cfg"], m["text_cfg"]
    x = F.conv2d(pixels, state["visual.conv1.weight"], stride=v["patch_size"]).flatten(2).transpose(1, 2)
    x = torch.cat([state["visual.class_embedding"].expand(len(x), 1, -1), x], 1) + state["visual.positional_embedding"]
    x = transformer(norm(x, "visual.ln_pre", v), "visual.", v, v["width"] // v.get("head_width", 64), None)
    image = norm(x[:, 0], "visual.ln_post", v) @ state["visual.proj"]

    x = state[prefix + "token_embedding.weight"][ids] + state[prefix + "positional_embedding"][: ids.shape[1]]
    mask = torch.full((ids.shape[1], ids.shape[1]), float("-inf")).triu(1)
    x = norm(transformer(x, prefix, t, t["heads"], mask), prefix + "ln_final", t)
    text = x[torch.arange(len(x)), ids.argmax(-1)] @ state[prefix + "text_projection"]
    return F.normalize(image, dim=-1), F.normalize(text, dim=-1)


def to_transformers(state, config, prefix):
    """open_clip's configuration and tensors as transformers' conversion script maps OpenAI's."""
    m = config["model_cfg"]
    v, t = m["vision_cfg"], m["text_cfg"]
    act = "quick_gelu" if m.get("quick_gelu") else "gelu"

    def tower(c, heads):
        return dict(hidden_size=c["width"], intermediate_size=int(c["width"] * c.get("mlp_ratio", 4)), num_hidden_layers=c["layers"],
                    num_attention_heads=heads, hidden_act=act, layer_norm_eps=c.get("norm_kwargs", {}).get("eps", 1e-5))

    hf = CLIPConfig(
        projection_dim=m["embed_dim"],
        vision_config=tower(v, v["width"] // v.get("head_width", 64)) | dict(image_size=v["image_size"], patch_size=v["patch_size"]),
        text_config=tower(t, t["heads"]) | dict(vocab_size=t["vocab_size"], max_position_embeddings=t.get("context_length", 77), eos_token_id=2),
    )
    out = {
        "logit_scale": state["logit_scale"],
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "text_model.embeddings.token_embedding.weight": state[prefix + "token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state[prefix + "positional_embedding"],
        "visual_projection.weight": state["visual.proj"].T,
        "text_projection.weight": state[prefix + "text_projection"].T,
    }
    names = {"vision_model.pre_layrnorm": "visual.ln_pre", "vision_model.post_layernorm": "visual.ln_post",
             "text_model.final_layer_norm": prefix + "ln_final"}
    for model, tower, c in ("vision_model", "visual.", v), ("text_model", prefix, t):
        for i in range(c["layers"]):
            a, b = f"{model}.encoder.layers.{i}.", f"{tower}transformer.resblocks.{i}."
            names |= {a + "layer_norm1": b + "ln_1", a + "layer_norm2": b + "ln_2", a + "self_attn.out_proj": b + "attn.out_proj",
                      a + "mlp.fc1": b + "mlp.c_fc", a + "mlp.fc2": b + "mlp.c_proj"}
            for kind in "weight", "bias":
                for name, part in zip("qkv", state[b + "attn.in_proj_" + kind].chunk(3)):
                    out[f"{a}self_attn.{name}_proj.{kind}"] = part
    for a, b in names.items():
        out |= {a + ".weight": state[b + ".weight"], a + ".bias": state[b + ".bias"]}
    return hf, out


def run(variant):
    name, config = variant["name"], variant["config"]
    open_clip = variant["layout"] == "open_clip"
    prefix = variant.get("text_prefix", "")
    if open_clip:
        stored = {k: torch.from_numpy(values(name, k, s)) for k, s in open_clip_tensors(config, prefix).items()}
        hf, state = to_transformers(stored, config, prefix)
    else:
        hf = CLIPConfig(**config)
        state = None
    hf._attn_implementation = "eager"
    model = CLIPModel(hf).eval()
    if state is None:
        state = {k: torch.from_numpy(values(name, k, tuple(p.shape))) for k, p in model.named_parameters()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(k.endswith("position_ids") for k in missing), (missing, unexpected)

    t = hf.text_config
    tok = tokenizer(t.vocab_size, t.max_position_embeddings)
    rows = [tok(s, truncation=True, max_length=t.max_position_embeddings)["input_ids"] for s in TEXTS]
    assert all(r[-1] == tok.eos_token_id == t.vocab_size - 1 for r in rows)
    ids = torch.tensor([r + [tok.eos_token_id] * (max(map(len, rows)) - len(r)) for r in rows])

    side = hf.vision_config.image_size
    rgb = noise(name + "/photo", side * side * 3).view(np.uint8).reshape(side, side, 3)
    processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side},
                                      image_mean=variant.get("mean", MEAN), image_std=variant.get("std", STD))
    pixels = processor(Image.fromarray(rgb), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        out = model(input_ids=ids, pixel_values=pixels)
        if open_clip:
            for a, b in zip((out.image_embeds, out.text_embeds), open_clip_forward(stored, config, prefix, pixels, ids)):
                assert (a - b).abs().max() < 1e-5, (name, (a - b).abs().max())
    similar = (out.text_embeds @ out.text_embeds.T).numpy()
    print(name, [len(r) for r in rows], "\n", similar.round(2))
    return {name + ".image": out.image_embeds.numpy(), name + ".text": out.text_embeds.numpy()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    goldens = {}
    for variant in json.loads((HERE / "variants.json").read_text()):
        goldens |= run(variant)
    safetensors.numpy.save_file(goldens, HERE / "goldens.safetensors", metadata={"transformers": transformers.__version__})
