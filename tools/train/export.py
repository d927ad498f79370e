"""Checkpoint <-> folder in Hugging Face's CLIPModel layout, and the calibration file.

Contract
  write_safetensors(path, tensors, metadata), read_safetensors(path)   {name: numpy array} (F16, F32, BF16 read
                             as float32); the format's own rules: 8-byte little-endian header length, JSON
                             header, data without holes.
  export(model, tokenizer_folder, out)   writes config.json, model.safetensors (float16), the tokenizer's files and
                             preprocessor_config.json into out; out is replaced in one rename, and files in it that
                             export does not make (the model card, the licence) are kept.
  load(folder)               a Clip from any CLIPModel folder of the quick_gelu or gelu kind.
  from_checkpoint(state)     a Clip from a training run's last.pt.
  blend(model, start, share) start's weights and the share of what training changed in them, as in WiSE-FT (Wortsman et al.,
                             arXiv 2109.01903): fine-tuning's gain for less of what it forgets.
  calibrate(...)             per-channel maximum |input| of every linear layer.
"""
import json
import os
import shutil
import struct

import numpy as np
import torch

from . import lora, visual
from .data import MEAN, STD, normalise
from .model import Clip, pad_texts

# CLIPConfig's, of transformers.
DEFAULTS = {
    "vision_config": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
                      "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "image_size": 224, "patch_size": 32, "num_channels": 3},
    "text_config": {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8,
                    "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "vocab_size": 49408, "max_position_embeddings": 77},
}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")
KINDS = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "U8": np.uint8, "I8": np.int8, "I32": np.int32, "I64": np.int64}


def write_safetensors(path, tensors, metadata=None):
    header, data, at = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name in sorted(tensors):
        array = np.array(tensors[name], order="C", copy=False)
        kind = next(k for k, v in KINDS.items() if v == array.dtype)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        data.append(array)
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for array in data:
            f.write(array.tobytes())


def read_safetensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    size, = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + x for x in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            bits = np.frombuffer(raw[begin:end], np.uint16).astype(np.uint32) << 16
            array = bits.view(np.float32)
        else:
            array = np.frombuffer(raw[begin:end], KINDS[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"]).copy()
    return tensors


def read_checkpoint(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except TypeError:  # torch 1.13 has no weights_only
        return torch.load(path, map_location="cpu")


def from_checkpoint(state, plain=False):
    """A Clip with the averaged weights of a training run's state; plain: those of its last step."""
    model = Clip(state["config"])
    rank, number = (state["options"].get(name, 0) for name in ("lora", "visual"))
    if rank:
        lora.attach(model, rank)
    if number:
        visual.attach(model, number)
    model.load_state_dict(state["model" if plain else "average"])
    if rank:
        lora.merge(model)
    return model


def preprocessor(side):
    return {"image_processor_type": "CLIPImageProcessor", "do_convert_rgb": True, "do_resize": True,
            "size": {"shortest_edge": side}, "resample": 3, "do_center_crop": True,
            "crop_size": {"height": side, "width": side}, "do_rescale": True, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": list(MEAN), "image_std": list(STD)}


def export(model, tokenizer_folder, out, extra=None):
    """extra: {file name: text} written beside the weights."""
    out = os.path.normpath(out)
    new, old = out + ".new", out + ".old"
    if os.path.exists(old) and not os.path.exists(out):
        os.rename(old, out)  # an earlier export ended between its two renames
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(new)
    config = dict(model.config, logit_scale_init_value=round(float(model.logit_scale.detach()), 4))
    with open(os.path.join(new, "config.json"), "w") as f:
        f.write(json.dumps(config, indent=2) + "\n")
    tensors = {k: v.detach().to(torch.float16).numpy() for k, v in model.state_dict().items()}
    write_safetensors(os.path.join(new, "model.safetensors"), tensors, {"format": "pt"})
    with open(os.path.join(new, "preprocessor_config.json"), "w") as f:
        f.write(json.dumps(preprocessor(model.side), indent=2) + "\n")
    for name in TOKENIZER_FILES:
        if os.path.exists(os.path.join(tokenizer_folder, name)):
            shutil.copy(os.path.join(tokenizer_folder, name), new)
    for name, text in (extra or {}).items():
        with open(os.path.join(new, name), "w", encoding="utf-8") as f:
            f.write(text)
    if os.path.exists(out):
        for name in os.listdir(out):
            if os.path.isfile(os.path.join(out, name)) and not os.path.exists(os.path.join(new, name)):
                shutil.copy(os.path.join(out, name), new)
        os.rename(out, old)
    os.rename(new, out)
    shutil.rmtree(old, ignore_errors=True)


def read_config(path):
    """config.json of a CLIPModel, with the values of CLIPConfig that it leaves out. Where an early one has a tower
    twice, transformers takes the one that it calls a dict.
    """
    with open(path, encoding="utf-8") as f:
        config = dict({"projection_dim": 512}, **json.load(f))
    for part, defaults in DEFAULTS.items():
        early = config.pop(part + "_dict", None)
        config[part] = dict(defaults, **(early or config.get(part) or {}))
    return config


def load(folder):
    model = Clip(read_config(os.path.join(folder, "config.json")))
    weights = os.path.join(folder, "model.safetensors")
    if not os.path.exists(weights):
        raise ValueError("%s: there is no model.safetensors; weights in several files or in another format are not read" % folder)
    tensors = read_safetensors(weights)
    state = {k: torch.from_numpy(v.astype(np.float32)) for k, v in tensors.items() if not k.endswith("position_ids")}
    model.load_state_dict(state)
    return model


@torch.no_grad()
def blend(model, began, share):
    """began: {name: weights} where fine-tuning began; share: how much of what it changed is kept."""
    for name, p in model.named_parameters():
        p.copy_(began[name].to(p.device).lerp(p, share))


@torch.no_grad()
def calibrate(model, bpe, pixels, strings):
    """pixels: uint8 [n, 3, S, S]; strings: texts. Returns the content of calibration.json."""
    model.eval()
    ranges, hooks = {}, []

    def watch(name):
        def hook(module, inputs):
            most = inputs[0].abs().reshape(-1, inputs[0].shape[-1]).amax(0)
            ranges[name] = torch.maximum(ranges[name], most) if name in ranges else most
        return hook

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            hooks.append(module.register_forward_pre_hook(watch(name)))
    for i in range(0, len(pixels), 64):
        model.image(normalise(pixels[i:i + 64], model.side))
    for s in strings:  # one at a time: padding would be measured too
        model.text(pad_texts([bpe.encode(s)]))
    for hook in hooks:
        hook.remove()
    return {"format": "ecor-calibration-1", "photos": len(pixels),
            "ranges": {k: [float("%.4g" % x) for x in v.tolist()] for k, v in sorted(ranges.items())}}
