"""A tiny model with lively weights: random, but not so small that nothing can be told apart."""

from __future__ import annotations

import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import ReidVit, build


@pytest.fixture(scope="session")
def tiny_model() -> ReidVit:
    torch.manual_seed(0)
    model = build(ModelConfig(width=64, heads=1, depth=3, height_px=64, width_px=32)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.requires_grad_(False)


@pytest.fixture(scope="session")
def tiny_crops() -> torch.Tensor:
    return torch.rand(96, 3, 64, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
