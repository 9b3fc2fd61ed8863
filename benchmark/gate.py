"""The accuracy gate: is the candidate no worse than the reference by more than a stated margin?

A one-sided test of non-inferiority on the paired difference per query, with identities drawn whole.
`pass`: with 95 % confidence the loss is within the margin. `fail`: with 95 % confidence it is not.
Anything between is `undecided`. docs/gate.md says the same for a reader without statistics.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, DataError
from ..core.metrics.scores import RetrievalScores
from .bootstrap import CONFIDENCE, RESAMPLES, MeanBounds, clustered_mean
from .rank1 import Discordant
from .verdict import Check, Decision, Verdict, combine

FEWEST_CLUSTERS = 20
POWER = 0.8

_Z = NormalDist().inv_cdf(CONFIDENCE) + NormalDist().inv_cdf(POWER)
_RULE_OF_THREE = 3.0
_MOST_NEEDED = 1_000_000
_TITLES = {"mean_ap": "mAP", "minp": "mINP", "rank1": "Rank-1"}
_KEYS = {"map": "mean_ap", "minp": "minp", "r1": "rank1", "rank1": "rank1", "rank-1": "rank1"}
_FORM = re.compile(r"\s*([A-Za-z][\w@-]*)\s*>=\s*([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)\s*")
_EXAMPLE = "write for example 'mAP>=-0.2', a change of mAP of no less than -0.2 points"


@dataclass(frozen=True)
class Gate:
    """A metric's key in `RetrievalScores.per_query`, and the loss allowed, as a fraction of 1."""

    metric: str = "mean_ap"
    margin: float = 0.002

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Read 'mAP>=-0.2': the metric may change by no less than -0.2 points."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ConfigError(f"gate '{text}': this is no gate; {_EXAMPLE}")
        key = _KEYS.get(found[1].lower())
        if key is None:
            raise ConfigError(
                f"gate '{text}': the metric '{found[1]}' is not known; known are mAP, mINP and R1"
            )
        change = float(found[2])
        if not -100 < change < 0:
            raise ConfigError(
                f"gate '{text}': the number is the change allowed, in points, and must be below 0 "
                "(no number of queries can show that nothing at all was lost) and above -100; "
                f"{_EXAMPLE}"
            )
        return cls(key, -change / 100)

    @property
    def title(self) -> str:
        return _TITLES[self.metric]

    def __str__(self) -> str:
        return f"{self.title}>=-{100 * self.margin:g}"


def decide(
    reference: RetrievalScores,
    candidate: RetrievalScores,
    clusters: NDArray[np.integer] | Sequence[int],
    gate: Gate,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Verdict:
    """Judge `candidate` against `reference`; `clusters` holds each query's identity."""
    scored = _scored(reference, candidate, clusters)
    labels = np.asarray(clusters)[scored]
    change = (candidate.per_query[gate.metric] - reference.per_query[gate.metric])[scored]
    bounds = clustered_mean(change, labels, seed=seed, resamples=resamples)
    main = _bounds_check(bounds, gate)
    checks = (main, _rank1_check(discordant(reference, candidate), gate))
    decision = combine(tuple(check.decision for check in checks))
    needed = _needed(bounds, gate) if decision == "undecided" else None
    return Verdict(
        kind="accuracy",
        rule=str(gate),
        decision=decision,
        sentence=_sentence(decision, bounds, gate, checks, needed),
        checks=checks,
        samples=bounds.values,
        clusters=bounds.clusters,
        needed=needed,
        seed=seed,
        resamples=resamples,
    )


def discordant(reference: RetrievalScores, candidate: RetrievalScores) -> Discordant:
    """The queries whose first answer changed."""
    before, after = reference.per_query["rank1"], candidate.per_query["rank1"]
    return Discordant(
        right_to_wrong=int(((before == 1) & (after == 0)).sum()),
        wrong_to_right=int(((before == 0) & (after == 1)).sum()),
        queries=int((~np.isnan(before)).sum()),
    )


def _scored(
    reference: RetrievalScores,
    candidate: RetrievalScores,
    clusters: NDArray[np.integer] | Sequence[int],
) -> NDArray[np.bool_]:
    before, after = reference.per_query["mean_ap"], candidate.per_query["mean_ap"]
    if before.shape != after.shape or len(before) != len(clusters):
        raise DataError(
            f"the gate compares the same queries twice, but was given {len(before)} and "
            f"{len(after)} scores and {len(clusters)} identities; score both on one query set"
        )
    scored: NDArray[np.bool_] = ~np.isnan(before)
    if not np.array_equal(scored, ~np.isnan(after)):
        raise DataError(
            "the two runs could not score the same queries; rank both against one gallery"
        )
    return scored


def _bounds_check(bounds: MeanBounds, gate: Gate) -> Check:
    return Check(
        name=f"change of {gate.title}",
        unit="points",
        limit=-100 * gate.margin,
        estimate=100 * bounds.mean,
        lower=100 * bounds.lower,
        upper=100 * bounds.upper,
        error=100 * bounds.error,
        resolves=100 * resolvable(bounds),
        decision=_decision(bounds, gate),
        test="paired bootstrap of whole identities, one-sided at 95 %",
    )


def resolvable(bounds: MeanBounds) -> float:
    """The smallest margin that this many queries show 4 times in 5 when nothing is lost.

    The second term is the rule of three: of a change seen in none of n queries, up to 3/n of all
    queries may still suffer (95 %), each losing all it had.
    """
    return max(_Z * bounds.error, _RULE_OF_THREE / bounds.values)


def _decision(bounds: MeanBounds, gate: Gate) -> Decision:
    if bounds.clusters < FEWEST_CLUSTERS:
        return "undecided"
    if bounds.upper < -gate.margin:
        return "fail"
    enough = bounds.values >= _floor(gate)
    return "pass" if enough and bounds.lower >= -gate.margin else "undecided"


def _floor(gate: Gate) -> int:
    return math.ceil(round(_RULE_OF_THREE / gate.margin, 6))


def _rank1_check(changed: Discordant, gate: Gate) -> Check:
    """The gate itself when it is on Rank-1; otherwise a guard that only a shown loss trips."""
    within, beyond = changed.p_within(gate.margin), changed.p_beyond(gate.margin)
    alpha = 1 - CONFIDENCE
    decision: Decision = "fail" if beyond < alpha else "pass"
    if gate.metric == "rank1" and decision == "pass" and within >= alpha:
        decision = "undecided"
    error = math.sqrt(max(changed.changed / changed.queries - changed.loss**2, 0) / changed.queries)
    low, high = changed.bounds(CONFIDENCE)
    return Check(
        name="Rank-1, exact",
        unit="points",
        limit=-100 * gate.margin,
        estimate=0.0 - 100 * changed.loss,
        lower=-100 * high,
        upper=-100 * low,
        error=100 * error,
        resolves=100 * max(_Z * error, _RULE_OF_THREE / changed.queries),
        decision=decision,
        test=(
            f"exact test on the queries whose answer changed, {changed.right_to_wrong} from right "
            f"to wrong and {changed.wrong_to_right} from wrong to right; one-sided p = "
            f"{changed.p_worse():.3f} for a fall of any size"
        ),
    )


def _needed(bounds: MeanBounds, gate: Gate) -> int | None:
    """Queries that would decide 4 times in 5, if noise and loss stay as observed.

    A loss within the noise counts as none: planning on it would only chase the noise.
    """
    loss = -bounds.mean if -bounds.mean > NormalDist().inv_cdf(CONFIDENCE) * bounds.error else 0.0
    distance = abs(gate.margin - loss)
    if distance == 0:
        return None
    number = max(bounds.values * (_Z * bounds.error / distance) ** 2, _floor(gate))
    return int(float(f"{number:.2g}")) if number <= _MOST_NEEDED else None


def _sentence(
    decision: Decision,
    bounds: MeanBounds,
    gate: Gate,
    checks: tuple[Check, ...],
    needed: int | None,
) -> str:
    allowed = f"{100 * gate.margin:g} points"
    moved = f"{gate.title} {_moved(100 * bounds.mean)}"
    if decision == "pass":
        lost = f"it lost at most {max(0.0, -100 * bounds.lower):.2f} of {allowed} allowed"
        return f"Pass: {moved}; with 95 % confidence {lost}."
    if decision == "fail" and checks[0].decision == "fail":
        lost = f"it lost at least {-100 * bounds.upper:.2f}, where {allowed} are allowed"
        return f"Fail: {moved}; with 95 % confidence {lost}."
    if decision == "fail":
        return f"Fail: {moved}, but Rank-1 is shown to lose more than the {allowed} allowed."
    many = f"{bounds.values:,} queries of {bounds.clusters:,} identities"
    doubt = f"{many} can neither show nor rule out a loss of {allowed}"
    return f"Undecided: {moved}, but {doubt}; {_mend(bounds, needed)}."


def _mend(bounds: MeanBounds, needed: int | None) -> str:
    if bounds.clusters < FEWEST_CLUSTERS:
        return f"at least {FEWEST_CLUSTERS} identities are needed"
    return f"about {needed:,} queries are needed" if needed else "it lies on the limit itself"


def _moved(points: float) -> str:
    if round(abs(points), 2) == 0:
        return "did not change" if points == 0 else "changed by less than 0.01 points"
    return f"{'rose' if points > 0 else 'fell'} by {abs(points):.2f} points"
