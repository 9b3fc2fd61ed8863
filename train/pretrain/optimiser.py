"""AdamW in one launch: matrices decay more and more, biases and norms never."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .recipe import OptimiserSettings
from .schedules import Settings

TINY = 1e-6
"""Added to a norm before dividing by it, as published."""


def build_optimiser(student: nn.Module, settings: OptimiserSettings) -> torch.optim.AdamW:
    """The first group decays. As published, a parameter that is called otherwise than bias and
    has more than one axis does so, the position embedding and the tokens included."""
    named = [(name, value) for name, value in student.named_parameters() if value.requires_grad]
    spared = [value for name, value in named if name.endswith(".bias") or value.ndim == 1]
    decaying = [value for name, value in named if not (name.endswith(".bias") or value.ndim == 1)]
    groups: list[dict[str, Any]] = [{"params": decaying}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)


def set_rates(optimiser: torch.optim.Optimizer, now: Settings) -> None:
    for group in optimiser.param_groups:
        group["lr"] = now.lr
    optimiser.param_groups[0]["weight_decay"] = now.weight_decay


@torch.no_grad()
def clip(gradients: list[Tensor], settings: OptimiserSettings) -> Tensor:
    """Clip in place without asking the device anything; returns the norm of all, before."""
    norms = torch._foreach_norm(gradients)
    total = torch.stack(list(norms)).square().sum().sqrt()
    limit = settings.clip_norm
    if not limit:
        return total
    factors = (limit / (torch.stack(list(norms)) + TINY)).clamp(max=1.0)
    if settings.clip == "global":
        factors = (limit / (total + TINY)).clamp(max=1.0).expand_as(factors)
    torch._foreach_mul_(gradients, list(factors.unbind(0)))
    return total
