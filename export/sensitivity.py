"""Ranks layers by the harm that quantising each one alone does, and protects the worst.

The ranking is cached by what it depends on, layer by layer, so an interrupted search resumes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.files import write_atomically
from ..core.models.vit import ReidVit
from .recipe import Recipe
from .rehearsal import Damage, Rehearsal
from .scales import Scales
from .work import work_shares

MEAN_ERROR_LIMIT = 0.01
WORST_ERROR_LIMIT = 0.05
MARGIN_LOSS_LIMIT = 0.01
FLOAT_COST = 3.0
"""What a float multiply-add costs in INT8 ones; a fixed number, so that two runs choose alike."""


@dataclass(frozen=True)
class Sensitivity:
    """One layer, the harm of quantising it alone, and its share of the multiply-adds."""

    layer: str
    damage: Damage
    share: float


@dataclass(frozen=True)
class Search:
    """What the search measured and what it settled on."""

    ranking: tuple[Sensitivity, ...]
    recipe: Recipe
    damage: Damage
    holds: bool
    relative_cost: float


def acceptable(damage: Damage) -> bool:
    return (
        damage.error <= MEAN_ERROR_LIMIT
        and damage.worst <= WORST_ERROR_LIMIT
        and damage.margin_loss <= MARGIN_LOSS_LIMIT
    )


def rank_layers(
    model: ReidVit,
    scales: Scales,
    rehearsal: Rehearsal,
    cache: Path,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> tuple[Sensitivity, ...]:
    """Every quantised layer, worst first: by embedding error and margin loss together."""
    known = _load(cache)
    for layer in progress(sorted(set(scales) - set(known))):
        known[layer] = rehearsal.damage(model, scales, [layer])
        _store(cache, known)
    shares = work_shares(model.config)
    rows = [Sensitivity(layer, known[layer], shares[layer]) for layer in sorted(scales)]
    return tuple(sorted(rows, key=_harm_among(rows)))


def protect_worst(
    model: ReidVit,
    scales: Scales,
    rehearsal: Rehearsal,
    recipe: Recipe,
    ranking: Sequence[Sensitivity],
) -> Search:
    """The fewest layers, worst first, whose protection makes the rehearsal acceptable.

    Harm falls (nearly) monotonically with the number of protected layers, so the number is found
    by halving; each trial is one pass over the rehearsal crops.
    """
    order = [row.layer for row in ranking]
    trials: dict[int, Damage] = {}

    def holds(count: int) -> bool:
        trials[count] = rehearsal.damage(model, scales, order[count:])
        return acceptable(trials[count])

    high = fewest(len(order), holds)
    if high not in trials:
        holds(high)
    chosen = recipe.protecting(tuple(order[:high]))
    shares = {row.layer: row.share for row in ranking}
    cost = relative_cost(shares, order[:high])
    return Search(tuple(ranking), chosen, trials[high], acceptable(trials[high]), cost)


def fewest(most: int, holds: Callable[[int], bool]) -> int:
    """The smallest count from 0 to `most` that holds: doubling first, because few usually do."""
    low, high = 0, min(1, most)
    while high < most and not holds(high):
        low, high = high + 1, min(2 * high, most)
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high


def relative_cost(shares: dict[str, float], protected: Sequence[str]) -> float:
    """Static cost of a recipe against all-INT8: 1 when nothing is protected."""
    return 1 + (FLOAT_COST - 1) * sum(shares[layer] for layer in protected)


def _harm_among(rows: Sequence[Sensitivity]) -> Callable[[Sensitivity], tuple[float, str]]:
    """A layer's share of all embedding error plus its share of all margin loss; largest first."""
    errors = sum(row.damage.error for row in rows) or 1.0
    margins = sum(max(row.damage.margin_loss, 0.0) for row in rows) or 1.0

    def key(row: Sensitivity) -> tuple[float, str]:
        margin = max(row.damage.margin_loss, 0.0) / margins
        return -(row.damage.error / errors + margin), row.layer

    return key


def _load(cache: Path) -> dict[str, Damage]:
    try:
        stored = json.loads(cache.read_text(encoding="utf-8"))
        return {layer: Damage(**damage) for layer, damage in stored.items()}
    except (OSError, ValueError, TypeError):
        return {}


def _store(cache: Path, known: dict[str, Damage]) -> None:
    write_atomically(cache, json.dumps({layer: asdict(known[layer]) for layer in sorted(known)}))
