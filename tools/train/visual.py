"""Deep visual prompts (VPT-deep, arXiv 2203.12119): only tokens that stand before each layer of the image tower are trained.

Contract
  attach(model, number)   freezes everything and gives each layer of the image tower that many prompt tokens, [1, number,
                          width]. They go into the layer's attention beside the photo's tokens and not on to the next layer.

CLIPModel has no place for them, so a model with prompts cannot be exported.
"""
import torch
from torch import nn


def put_in(layer, inputs):
    x, *rest = inputs
    return (torch.cat([x, layer.prompts.to(x.dtype).expand(len(x), -1, -1)], 1), *rest)


def take_out(layer, inputs, output):
    x, own = output
    return x[:, :-layer.prompts.shape[1]], own


def attach(model, number):
    model.requires_grad_(False)
    patches = model.vision_model.embeddings.patch_embedding.weight
    bound = (6 / (patches[0].numel() + patches.shape[0])) ** 0.5  # the paper's: Xavier's for one patch
    for layer in model.vision_model.encoder.layers:
        layer.prompts = nn.Parameter(torch.empty(1, number, patches.shape[0], device=patches.device).uniform_(-bound, bound))
        layer.register_forward_pre_hook(put_in)
        layer.register_forward_hook(take_out)
