"""How a model's multiply-adds spread over its matrix products."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..core.models.config import ModelConfig
from .layers import layer_work as layer_work


def attention_work(config: ModelConfig) -> float:
    """Multiply-adds per crop of the two products inside all attentions."""
    tokens = config.tokens_by_block
    asking = (*tokens[1:], *tokens[-1:])
    return float(
        sum(2 * config.width * keys * own for keys, own in zip(tokens, asking, strict=True))
    )


def work_shares(config: ModelConfig) -> dict[str, float]:
    """Each layer's share of the multiply-adds in quantisable layers."""
    work = layer_work(config)
    total = sum(work.values())
    return {layer: amount / total for layer, amount in work.items()}


def int8_share(config: ModelConfig, layers: Collection[str], *, attention: bool = False) -> float:
    """The share of all matrix work, attention's included, that a recipe puts into INT8."""
    work = layer_work(config)
    inside = attention_work(config)
    done = sum(work[layer] for layer in layers) + (inside if attention else 0.0)
    return done / (sum(work.values()) + inside)


def densest(harm: Mapping[str, float], shares: Mapping[str, float], budget: float) -> list[str]:
    """The layers with most harm for their work, as many as the budget of work has room for."""
    chosen: list[str] = []
    used = 0.0
    for layer in sorted(harm, key=lambda name: (-harm[name] / shares[name], name)):
        if used + shares[layer] <= budget + 1e-9:
            chosen.append(layer)
            used += shares[layer]
    return chosen
