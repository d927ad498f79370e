"""The CLIP model: parameter names and numbers equal Hugging Face's CLIPModel.

Contract
  Clip(config)            config is the parsed config.json of a CLIPModel checkpoint (see mini_config below).
  model.image(pixels)     float [n, 3, S, S] -> unit vectors [n, d]. S may be smaller than the configured size,
                          in whole patches: the position table is then resampled to the smaller grid.
                          keep: how many patches, drawn at random per photo, go through the tower (training).
  model.text(texts, ...)  Tokens (see pad_texts) -> unit vectors [n, d].
  state_dict() has exactly the names and shapes of CLIPModel.state_dict() without its position_ids buffers.

Prompts that share their first tokens can be encoded with those tokens computed once: text attention is
causal, so keys and values of a shared prefix do not depend on what follows. pad_texts finds the prefix.
Runs on torch 1.13 and later.
"""
import math
from collections import namedtuple

import torch
import torch.nn.functional as F
from torch import nn

Tokens = namedtuple("Tokens", "prefix ids ends")  # [p], [n, s], [n]: shared ids, the rest, index of the end token in ids


def mini_config(vocab_size, bos, eos, patch=16, size=96):
    """The shape of ecor-mini; `bos` and `eos` are token ids."""
    return {
        "architectures": ["CLIPModel"], "model_type": "clip", "torch_dtype": "float16",
        "projection_dim": 256, "logit_scale_init_value": 2.6592,
        "vision_config": {
            "model_type": "clip_vision_model", "image_size": size, "patch_size": patch, "num_channels": 3,
            "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 4,
            "projection_dim": 256, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "attention_dropout": 0.0},
        "text_config": {
            "model_type": "clip_text_model", "vocab_size": vocab_size, "max_position_embeddings": 77,
            "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 3, "num_attention_heads": 4,
            "projection_dim": 256, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "attention_dropout": 0.0,
            "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": eos},
    }


def pad_texts(texts, share=True):
    """Lists of token ids (each ending in its end token) -> Tokens, padded to the longest."""
    prefix = 0
    if share and len(texts) > 1:
        shortest = min(map(len, texts))
        while prefix < shortest - 1 and all(t[prefix] == texts[0][prefix] for t in texts):
            prefix += 1
    longest = max(map(len, texts)) - prefix
    ids = torch.tensor([t[prefix:] + t[-1:] * (longest - len(t) + prefix) for t in texts])
    ends = torch.tensor([len(t) - prefix - 1 for t in texts])
    return Tokens(torch.tensor(texts[0][:prefix], dtype=torch.long), ids, ends)


def on(device, tokens):
    """The same Tokens on a device."""
    return Tokens(*(t.to(device) for t in tokens))


def attend(q, k, v, mask):
    """Scaled dot-product attention, [n, heads, tokens, d]; mask is additive or None.

    Plain products on purpose: on CPUs, bfloat16, and these few tokens, torch's fused attention takes five
    times as long (its backward pass above all).
    """
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    return scores.softmax(-1).to(v.dtype) @ v


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x, mask=None, before=None):
        """before: keys and values of a shared prefix. Returns the output and this call's own keys, values."""
        n, tokens, width = x.shape
        if self.training:  # one product instead of three
            maps = (self.q_proj, self.k_proj, self.v_proj)
            x = F.linear(x, torch.cat([m.weight for m in maps]), torch.cat([m.bias for m in maps]))
            parts = x.chunk(3, -1)
        else:
            parts = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        q, k, v = (p.view(n, tokens, self.heads, -1).transpose(1, 2) for p in parts)
        own = (k, v)
        if before is not None:
            k, v = (torch.cat([b.expand(n, -1, -1, -1), t], 2) for b, t in zip(before, own))
        y = attend(q, k, v, mask).transpose(1, 2).reshape(n, tokens, width)
        return self.out_proj(y), own


class Mlp(nn.Module):
    def __init__(self, width, hidden, act):
        super().__init__()
        self.act = act
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        if self.act == "quick_gelu" and self.training:
            # x sigmoid(1.702 x) = silu(1.702 x) / 1.702, with the factors moved into the (small) weights.
            x = F.silu(F.linear(x, 1.702 * self.fc1.weight, 1.702 * self.fc1.bias))
            return F.linear(x, self.fc2.weight / 1.702, self.fc2.bias)
        x = self.fc1(x)
        x = x * torch.sigmoid(1.702 * x) if self.act == "quick_gelu" else F.gelu(x)
        return self.fc2(x)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn = Attention(c["hidden_size"], c["num_attention_heads"])
        self.layer_norm1 = nn.LayerNorm(c["hidden_size"], eps=c.get("layer_norm_eps", 1e-5))
        self.mlp = Mlp(c["hidden_size"], c["intermediate_size"], c.get("hidden_act", "quick_gelu"))
        self.layer_norm2 = nn.LayerNorm(c["hidden_size"], eps=c.get("layer_norm_eps", 1e-5))

    def forward(self, x, mask=None, before=None):
        y, own = self.self_attn(self.layer_norm1(x), mask, before)
        x = x + y
        return x + self.mlp(self.layer_norm2(x)), own


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))


class VisionEmbeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, patch = c["hidden_size"], c["patch_size"]
        self.grid = c["image_size"] // patch
        self.class_embedding = nn.Parameter(torch.randn(width) * 0.02)
        self.patch_embedding = nn.Conv2d(c.get("num_channels", 3), width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding(self.grid ** 2 + 1, width)

    def forward(self, pixels, keep=None):
        kernel = self.patch_embedding.weight
        n, channels, side, _ = pixels.shape
        patch, grid = kernel.shape[-1], side // kernel.shape[-1]
        x = pixels.reshape(n, channels, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
        x = F.linear(x.reshape(n, grid * grid, -1), kernel.flatten(1))
        position = self.position_embedding.weight
        table = position[1:]
        if grid != self.grid:
            square = table.t().reshape(1, -1, self.grid, self.grid)
            square = F.interpolate(square, size=(grid, grid), mode="bilinear", align_corners=False)
            table = square[0].flatten(1).t()
        x = x + table.to(x.dtype)
        if keep is not None and keep < x.shape[1]:
            chosen = torch.rand(n, x.shape[1]).topk(keep, 1).indices.to(x.device)
            x = x.gather(1, chosen[:, :, None].expand(-1, -1, x.shape[2]))
        first = (self.class_embedding + position[0]).expand(n, 1, -1)
        return torch.cat([first.to(x.dtype), x], 1)


class Vision(nn.Module):
    def __init__(self, c):
        super().__init__()
        eps = c.get("layer_norm_eps", 1e-5)
        self.embeddings = VisionEmbeddings(c)
        self.pre_layrnorm = nn.LayerNorm(c["hidden_size"], eps=eps)  # the misspelling is CLIPModel's
        self.encoder = Encoder(c)
        self.post_layernorm = nn.LayerNorm(c["hidden_size"], eps=eps)

    def forward(self, pixels, keep=None):
        x = self.pre_layrnorm(self.embeddings(pixels, keep))
        for layer in self.encoder.layers:
            x, _ = layer(x)
        return self.post_layernorm(x[:, 0])


class TextEmbeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.token_embedding = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.position_embedding = nn.Embedding(c["max_position_embeddings"], c["hidden_size"])

    def forward(self, ids, start):
        return self.token_embedding(ids) + self.position_embedding.weight[start:start + ids.shape[1]]


class Text(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embeddings = TextEmbeddings(c)
        self.encoder = Encoder(c)
        self.final_layer_norm = nn.LayerNorm(c["hidden_size"], eps=c.get("layer_norm_eps", 1e-5))

    def forward(self, tokens):
        shared, own = len(tokens.prefix), tokens.ids.shape[1]
        if shared + own > self.embeddings.position_embedding.num_embeddings:
            raise ValueError("text of %d tokens is longer than the context" % (shared + own))
        mask = torch.full((shared + own, shared + own), float("-inf"), device=tokens.ids.device).triu(1)
        y = self.embeddings(tokens.ids, shared)
        x = self.embeddings(tokens.prefix[None], 0) if shared else None
        for layer in self.encoder.layers:
            before = None
            if shared:
                x, before = layer(x, mask[:shared, :shared])
            y, _ = layer(y, mask[shared:], before)
        return self.final_layer_norm(y[torch.arange(len(y), device=y.device), tokens.ends])


@torch.no_grad()
def adopt(model, other):
    """Copies the weights of a Clip with other patches (and the same widths and depths) into model.

    Patches: pseudo-inverse resize (FlexiViT, arXiv 2212.08013), so that a photo scaled like the patches gives the
    same patch embeddings. Position table: resampled to the new grid.
    """
    state, own = other.state_dict(), model.vision_model.embeddings
    kernel = state["vision_model.embeddings.patch_embedding.weight"]
    old, new = kernel.shape[-1], own.patch_embedding.weight.shape[-1]
    if old != new:
        each = torch.eye(old * old).reshape(-1, 1, old, old)
        resize = F.interpolate(each, size=(new, new), mode="bilinear", align_corners=False).flatten(1).t()
        kernel = kernel.flatten(2) @ torch.linalg.pinv(resize)
        state["vision_model.embeddings.patch_embedding.weight"] = kernel.reshape(*kernel.shape[:2], new, new)
    grid = other.vision_model.embeddings.grid
    if grid != own.grid:
        name = "vision_model.embeddings.position_embedding.weight"
        square = state[name][1:].t().reshape(1, -1, grid, grid)
        square = F.interpolate(square, size=(own.grid, own.grid), mode="bilinear", align_corners=False, antialias=True)
        state[name] = torch.cat([state[name][:1], square[0].flatten(1).t()])
    model.load_state_dict(state)


class Clip(nn.Module):
    @property
    def side(self):
        """Side of the photos that it is made for, in pixels."""
        return self.config["vision_config"]["image_size"]

    def __init__(self, config):
        super().__init__()
        self.config = config
        v, t, d = config["vision_config"], config["text_config"], config["projection_dim"]
        for c in (v, t):
            if c.get("hidden_act", "quick_gelu") not in ("quick_gelu", "gelu"):
                raise ValueError("activation %r: only quick_gelu and gelu are supported" % c["hidden_act"])
        self.vision_model = Vision(v)
        self.text_model = Text(t)
        self.visual_projection = nn.Linear(v["hidden_size"], d, bias=False)
        self.text_projection = nn.Linear(t["hidden_size"], d, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(float(config.get("logit_scale_init_value", 2.6592))))
        self._initialise()

    def _initialise(self):
        for name, p in self.named_parameters():
            if p.dim() < 2:
                if name.endswith("bias"):
                    nn.init.zeros_(p)
                continue
            if "token_embedding" in name or name == "vision_model.embeddings.position_embedding.weight":
                nn.init.normal_(p, std=0.2)  # not drowned by what the first layers add
            elif "position_embedding" in name:
                nn.init.normal_(p, std=0.02)
            else:
                fan_in = p[0].numel()
                std = fan_in ** -0.5
                if "out_proj" in name or "fc2" in name:
                    tower = self.config["vision_config" if name.startswith("vision") else "text_config"]
                    std *= (2 * tower["num_hidden_layers"]) ** -0.5
                nn.init.normal_(p, std=std)

    def image(self, pixels, keep=None):
        return F.normalize(self.visual_projection(self.vision_model(pixels, keep)).float(), dim=-1)

    def text(self, tokens):
        return F.normalize(self.text_projection(self.text_model(tokens)).float(), dim=-1)

    def scale(self):
        return self.logit_scale.clamp(max=math.log(100.0)).exp()
