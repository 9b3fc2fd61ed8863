"""Agreement of a candidate with its teacher on crops that nobody labelled.

It says how alike two models see the same crops, never how well either recognises people: a poor
teacher is agreed with as easily as a good one. Each crop is looked up among all others under both
models, itself excluded. The form of the verdict is the accuracy gate's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError
from ..core.metrics.exact import shared_grid
from ..core.metrics.neighbours import SquaredDistances, find_neighbours
from .binomial import at_least, at_most, lower_bound, upper_bound
from .bootstrap import CONFIDENCE, RESAMPLES, clustered_mean
from .comparison import CosineSummary, cosine_summary, cosines
from .verdict import Check, Decision, Verdict, combine

RULE = "agreement"

_ALPHA = 1 - CONFIDENCE
_Z = NormalDist().inv_cdf(CONFIDENCE) + NormalDist().inv_cdf(0.8)
_DIGITS = 6

Embeddings = NDArray[np.floating]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class AgreementLimits:
    """What counts as agreeing; the defaults and what they mean are explained in docs/gate.md."""

    top_k: int = 10
    overlap: float = 0.95
    """The least mean share of the teacher's top k that the candidate also puts there."""
    ordered: int = 20
    rank_correlation: float = 0.90
    """The least mean Kendall correlation of the order of the teacher's `ordered` nearest."""
    cosine: float = 0.99
    tail: float = 0.05
    """At most this share of crops may fall below `cosine`."""
    fewest_crops: int = 200


@dataclass(frozen=True)
class Agreement:
    """Per crop: overlap of the top k, rank correlation and cosine; and the verdict on them."""

    verdict: Verdict
    limits: AgreementLimits
    overlap: Float64
    rank_correlation: Float64
    cosine: Float64

    @property
    def cosines(self) -> CosineSummary:
        return cosine_summary(self.cosine)


def agree(
    teacher: Embeddings,
    candidate: Embeddings,
    *,
    groups: NDArray[np.integer] | Sequence[int] | None = None,
    limits: AgreementLimits | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Agreement:
    """Compare embeddings of the same crops, one row each.

    `groups` marks crops that hang together, such as frames of one track or one source folder;
    without it every crop counts as independent, which understates the doubt when crops repeat.
    """
    limits = limits or AgreementLimits()
    alike = cosines(teacher, candidate)
    crops = len(alike)
    _check_size(crops, limits)
    overlap, order = neighbour_scores(teacher, candidate, limits.top_k, limits.ordered)
    labels = np.arange(crops) if groups is None else np.asarray(groups)
    checks = (
        _mean_check(
            f"top-{limits.top_k} overlap", overlap, labels, limits.overlap, seed, resamples
        ),
        _mean_check("rank correlation", order, labels, limits.rank_correlation, seed, resamples),
        _tail_check(alike, limits),
    )
    verdict = _verdict(checks, crops, len(np.unique(labels)), limits, seed, resamples)
    return Agreement(verdict, limits, overlap, order, alike)


def _verdict(
    checks: tuple[Check, ...],
    crops: int,
    groups: int,
    limits: AgreementLimits,
    seed: int,
    resamples: int,
) -> Verdict:
    decision = combine(tuple(check.decision for check in checks))
    if crops < limits.fewest_crops and decision == "pass":
        decision = "undecided"
    needed = _needed(checks, crops, limits) if decision == "undecided" else None
    return Verdict(
        kind="agreement",
        rule=RULE,
        decision=decision,
        sentence=_sentence(decision, checks, crops, needed),
        checks=checks,
        samples=crops,
        clusters=groups,
        needed=needed,
        seed=seed,
        resamples=resamples,
    )


def neighbour_scores(
    teacher: Embeddings, candidate: Embeddings, k: int, ordered: int
) -> tuple[Float64, Float64]:
    """For each crop, the overlap of both top k, and Kendall's correlation over `ordered`."""
    before, after = (_distances(vectors) for vectors in (teacher, candidate))
    taught = _others(find_neighbours(before, ordered + 1).nearest)
    found = _others(find_neighbours(after, k + 1).nearest)
    shared = (taught[:, :k, None] == found[:, None, :]).any(axis=2).sum(axis=1)
    rows = np.repeat(np.arange(len(taught)), taught.shape[1])
    now = after.pairs(rows, taught.ravel()).reshape(taught.shape)
    return shared / k, _kendall(now)


def _distances(vectors: Embeddings) -> SquaredDistances:
    return SquaredDistances(shared_grid(vectors, vectors[:0], "cosine"))


def _others(nearest: NDArray[np.int32]) -> NDArray[np.int32]:
    """Drop each crop from its own list; where copies crowd it out, drop the last instead."""
    own = nearest == np.arange(len(nearest), dtype=np.int32)[:, None]
    own[~own.any(axis=1), -1] = True
    kept: NDArray[np.int32] = nearest[~own].reshape(len(nearest), -1)
    return kept


def _kendall(distances: Float64) -> Float64:
    """Columns are in the teacher's order: the share of pairs in that order less the share not."""
    count = distances.shape[1]
    total: Float64 = np.zeros(len(distances))
    for column in range(count - 1):
        total += np.sign(distances[:, column + 1 :] - distances[:, column : column + 1]).sum(axis=1)
    total /= count * (count - 1) / 2
    return total


def _check_size(crops: int, limits: AgreementLimits) -> None:
    least = max(limits.top_k, limits.ordered) + 2
    if crops < least:
        raise ConfigError(
            f"{crops} crops cannot be compared by their {least - 2} nearest neighbours; "
            f"give {limits.fewest_crops} crops or more"
        )


def _mean_check(
    name: str,
    values: Float64,
    groups: NDArray[np.integer],
    limit: float,
    seed: int,
    resamples: int,
) -> Check:
    bounds = clustered_mean(values, groups, seed=seed, resamples=resamples)
    return Check(
        name=name,
        unit="of 1",
        limit=limit,
        estimate=bounds.mean,
        lower=bounds.lower,
        upper=bounds.upper,
        error=bounds.error,
        resolves=_Z * bounds.error,
        decision=_compare(bounds.lower, bounds.upper, limit),
        test="mean over crops, bootstrap of groups, one-sided at 95 %",
    )


def _tail_check(alike: Float64, limits: AgreementLimits) -> Check:
    """The share of crops at or above the cosine limit, by an exact binomial test."""
    crops, below = len(alike), int((alike < limits.cosine).sum())
    decision: Decision = "undecided"
    if at_most(below, crops, limits.tail) < _ALPHA:
        decision = "pass"
    elif at_least(below, crops, limits.tail) < _ALPHA:
        decision = "fail"
    share = 1 - below / crops
    error = float(np.sqrt(share * (1 - share) / crops))
    return Check(
        name=f"crops with a cosine of {limits.cosine:g} or more",
        unit="of 1",
        limit=1 - limits.tail,
        estimate=share,
        lower=1 - upper_bound(below, crops, CONFIDENCE),
        upper=1 - lower_bound(below, crops, CONFIDENCE),
        error=error,
        resolves=max(_Z * error, 3 / crops),
        decision=decision,
        test=f"exact binomial test; smallest cosine {alike.min():.4f}",
    )


def _compare(lower: float, upper: float, limit: float) -> Decision:
    if upper < limit:
        return "fail"
    return "pass" if lower >= limit else "undecided"


def _needed(checks: tuple[Check, ...], crops: int, limits: AgreementLimits) -> int | None:
    """Crops that would decide every open check 4 times in 5, if all stays as observed."""
    number = float(limits.fewest_crops)
    for check in checks:
        distance = abs(check.estimate - check.limit)
        if check.decision == "undecided":
            if distance * 1000 < check.error:
                return None
            error = check.error or 3 / crops
            number = max(number, crops * (_Z * error / distance) ** 2)
    return int(float(f"{number:.2g}")) if number <= 1_000_000 else None


def _sentence(decision: Decision, checks: tuple[Check, ...], crops: int, needed: int | None) -> str:
    overlap = f"{100 * checks[0].estimate:.1f} % of the teacher's nearest neighbours are kept"
    if decision == "pass":
        return f"Pass: {overlap}; this is agreement, not accuracy, since nobody labelled the crops."
    of = ", ".join(check.name for check in checks if check.decision == decision)
    if decision == "fail":
        return f"Fail: {overlap}; agreement is too low in {of}."
    why = f"{crops:,} crops cannot decide {of}" if of else f"{crops:,} crops are too few"
    need = f"about {needed:,} crops are needed" if needed else "it lies on the limit itself"
    return f"Undecided: {overlap}, but {why}; {need}."
