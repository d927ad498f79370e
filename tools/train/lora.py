"""LoRA (arXiv 2106.09685): only a low-rank change of each matrix inside the towers is trained.

Contract
  attach(model, rank)   freezes everything and gives each linear layer inside the towers W + B A, where A is
                        [rank, in] and B is [out, rank]; B starts at zero, so nothing changes yet.
  merge(model)          adds the changes into the weights: a plain Clip again.
"""
import torch
from torch import nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    def __init__(self, weight, rank):
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, weight.shape[1], device=weight.device) * weight.shape[1] ** -0.5)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank, device=weight.device))

    def forward(self, weight):
        return weight + self.up @ self.down


def layers(model):
    return [m for n, m in model.named_modules() if isinstance(m, nn.Linear) and ".encoder.layers." in n]


def attach(model, rank):
    model.requires_grad_(False)
    for m in layers(model):
        parametrize.register_parametrization(m, "weight", LowRank(m.weight, rank))


def merge(model):
    for m in layers(model):
        parametrize.remove_parametrizations(m, "weight", leave_parametrized=True)
