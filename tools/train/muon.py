"""Muon for the matrices inside the towers, AdamW for everything else.

Contract
  optimizers(model, rate, muon_rate, decay, dtype)   [AdamW, Muon]; every parameter that is trained is in exactly one
                                   of them. muon_rate 0: AdamW alone. dtype: what Muon's iteration computes in.
  Muon                             momentum, then the nearest orthogonal matrix as the update (Newton-Schulz
                                   iteration), as described by Keller Jordan, "Muon: an optimizer for hidden
                                   layers in neural networks" (2024).

Each parameter group keeps its share of the learning rate in "share": a schedule sets lr = share * rate(step).
"""
import torch


@torch.no_grad()
def orthogonal(stack, steps=5, dtype=torch.float32):
    """[n, rows, columns] -> for each matrix U Vᵀ of its singular value decomposition, roughly (values 0.7 .. 1.2)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = stack.shape[1] > stack.shape[2]
    x = stack.transpose(1, 2) if tall else stack
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(dtype)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.transpose(1, 2) if tall else x).to(stack.dtype)


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.0, dtype=torch.float32):
        self.dtype = dtype
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for (rows, columns), alike in shapes.items():
                updates = []
                for p in alike:
                    state = self.state[p]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(p)
                    state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(state["momentum"], group["momentum"]))  # Nesterov
                scale = group["lr"] * max(1.0, rows / columns) ** 0.5
                for p, u in zip(alike, orthogonal(torch.stack(updates), dtype=self.dtype)):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(u, alpha=scale)


def inside(name, p):
    """Whether a parameter is a matrix inside a tower's layers."""
    return p.dim() == 2 and ".encoder.layers." in name and ".parametrizations." not in name


def optimizers(model, rate, muon_rate, decay, dtype=torch.float32):
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    matrices = [p for n, p in trained if inside(n, p)]
    others = [p for n, p in trained if not inside(n, p)]
    adam = torch.optim.AdamW(
        [{"params": [p for p in others if p.dim() > 1] + ([] if muon_rate else matrices), "weight_decay": decay, "share": 1.0},
         {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0, "share": 1.0}],
        lr=rate, betas=(0.9, 0.98), eps=1e-6)
    if not muon_rate or not matrices:
        return [adam]
    return [adam, Muon([{"params": matrices, "share": muon_rate / rate}], lr=muon_rate, weight_decay=decay / 2,
                       dtype=dtype)]
