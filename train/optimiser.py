"""Parameter groups as published: biases learn faster; everything decays."""

from __future__ import annotations

import torch
from torch import nn

from .recipe import OptimiserSettings
from .schedule import CosineSchedule

FACTOR = "lr_factor"


def build_optimiser(model: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """Two groups, since all tensors of one kind share their numbers (published: one per tensor)."""
    named = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    groups = [
        {
            "params": [value for name, value in named if "bias" not in name],
            "lr": settings.lr,
            "weight_decay": settings.weight_decay,
            FACTOR: 1.0,
        },
        {
            "params": [value for name, value in named if "bias" in name],
            "lr": settings.lr * settings.bias_lr_factor,
            "weight_decay": settings.bias_weight_decay,
            FACTOR: settings.bias_lr_factor,
        },
    ]
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, betas=settings.betas, fused=True)
    return torch.optim.SGD(groups, momentum=settings.momentum, fused=True)


def set_rates(
    optimiser: torch.optim.Optimizer, schedule: CosineSchedule, epoch: int, progress: float
) -> float:
    """Give every group its rate for this moment; returns that of the weights."""
    for group in optimiser.param_groups:
        group["lr"] = schedule.rate(group[FACTOR], epoch, progress)
    return float(optimiser.param_groups[0]["lr"])
