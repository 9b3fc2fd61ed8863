"""Match thresholds at stated false accept rates, before and after, with their uncertainty.

A threshold is the smallest cosine, in steps of 0.0001, that at most the stated share of impostor
pairs reaches. Pairs are not independent: one look-alike appears in many. The interval therefore
draws identities with replacement. A pair belongs to two of them; to first order its weight moves
with the sum of both members' weights, so a resampled rate is far * (row mean / far) ** 2, where the
row mean weighs each identity's own false accepts. The caller takes care that the people here are
none of those the gate is decided on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from .bootstrap import draws
from .pairs import COARSE, FINE, PairScores, edge

FARS = (1e-2, 1e-3, 1e-4)
FEWEST_EXCEEDANCES = 30
FEWEST_IDENTITIES = 10
RESAMPLES = 2_000
SCHEMA = 1

_WINDOW = 30.0
_INTERVAL = (0.025, 0.975)
_DIGITS = 6

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """Accept a pair whose cosine is at least `threshold`; None where it is not resolvable."""

    far: float
    resolvable: bool
    threshold: float | None
    low: float | None
    high: float | None
    tar: float | None
    """The share of genuine pairs accepted, and its 95 % interval at this threshold."""
    tar_low: float | None
    tar_high: float | None
    exceedances: int
    """Impostor pairs at or above the threshold: what stands behind it."""
    identities: int
    """How many people those pairs show."""


@dataclass(frozen=True)
class Kept:
    """What becomes of the new model when the old threshold is kept."""

    far: float
    threshold: float
    new_far: float
    new_tar: float


@dataclass(frozen=True)
class Thresholds:
    """One row for each false accept rate; the form stored as thresholds.json."""

    reference: tuple[Threshold, ...]
    candidate: tuple[Threshold, ...]
    kept: tuple[Kept, ...]
    impostor_pairs: int
    genuine_pairs: int
    identities: int
    seed: int
    resamples: int

    def as_json(self) -> Mapping[str, Any]:
        """The same bytes on every run: no clock, no machine, numbers rounded."""
        return {
            "schema": SCHEMA,
            "metric": "cosine",
            "rule": "accept when the cosine is at least the threshold",
            "pairs": "cross-camera",
            "step": 2 / FINE,
            "fewest_exceedances": FEWEST_EXCEEDANCES,
            **asdict(self),
        }

    def as_text(self) -> str:
        rows = zip(self.reference, self.candidate, strict=True)
        lines = [f"FAR {old.far:g}: {_said(old)} before, {_said(new)} after" for old, new in rows]
        pairs = f"{self.impostor_pairs:,} impostor and {self.genuine_pairs:,} genuine pairs"
        return "\n".join([*lines, f"from {pairs} of {self.identities:,} people, across cameras"])


def thresholds(
    reference: PairScores,
    candidate: PairScores,
    *,
    fars: Sequence[float] = FARS,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Thresholds:
    """Thresholds of both models on the same pairs."""
    before = (reference.impostor_pairs, reference.genuine_pairs, reference.identities)
    if before != (candidate.impostor_pairs, candidate.genuine_pairs, candidate.identities):
        raise DataError("the two models were scored on different pairs; embed the same crops")
    old = _model(reference, fars, seed, resamples)
    new = _model(candidate, fars, seed, resamples)
    kept = tuple(_kept(candidate, each.far, each.threshold) for each in old if each.threshold)
    return Thresholds(old, new, kept, *before, seed, resamples)


def _model(
    scores: PairScores, fars: Sequence[float], seed: int, resamples: int
) -> tuple[Threshold, ...]:
    accepts = scores.false_accepts()
    chosen = [int(np.argmax(accepts <= far * scores.impostor_pairs)) for far in fars]
    solid = [_is_solid(scores, int(accepts[index]), index) for index in chosen]
    intervals = _intervals(scores, fars, seed, resamples)
    rows = []
    for far, index, good, interval in zip(fars, chosen, solid, intervals, strict=True):
        behind = int(accepts[index]), _people_behind(scores, index)
        if good:
            low, high = (round(float(end), 4) for end in interval)
            tar = _true_accepts(scores, index, seed, resamples)
            rows.append(Threshold(far, True, edge(index), low, high, *tar, *behind))
        else:
            rows.append(Threshold(far, False, None, None, None, None, None, None, *behind))
    return tuple(rows)


def _is_solid(scores: PairScores, exceedances: int, index: int) -> bool:
    enough = exceedances >= FEWEST_EXCEEDANCES
    return enough and _people_behind(scores, index) >= FEWEST_IDENTITIES


def _people_behind(scores: PairScores, index: int) -> int:
    """People with a false accept; the coarse bins are cut above the threshold, never below."""
    first = -(-index * COARSE // FINE)
    return int((scores.by_identity[:, first:].sum(axis=1) > 0).sum())


def _intervals(
    scores: PairScores, fars: Sequence[float], seed: int, resamples: int
) -> list[tuple[float, float]]:
    """95 % intervals of the thresholds, by the crossing of each resampled curve."""
    rows = scores.by_identity.astype(np.float64)
    accepts = np.cumsum(rows[:, ::-1], axis=1)[:, ::-1]
    rates = accepts.sum(axis=0) / accepts[:, 0].sum()
    crossings: list[list[Float64]] = [[] for _ in fars]
    windows = [_window(rates, far) for far in fars]
    for counts in draws(len(rows), seed, resamples):
        pairs = counts @ accepts[:, 0]
        for found, far, window in zip(crossings, fars, windows, strict=True):
            drawn = (counts @ accepts[:, window]) / pairs[:, None]
            found.append(_crossing(drawn**2 / rates[window], far, window.start))
    ends = [np.quantile(np.concatenate(found), _INTERVAL) for found in crossings]
    return [(float(low), float(high)) for low, high in ends]


def _window(rates: Float64, far: float) -> slice:
    """The edges around the threshold, where a resampled curve may cross the rate."""
    near = np.flatnonzero((rates <= far * _WINDOW) & (rates > 0) & (rates >= far / _WINDOW))
    if not len(near):
        last = int(np.flatnonzero(rates > 0)[-1])
        return slice(last, last + 1)
    return slice(int(near[0]), int(near[-1]) + 1)


def _crossing(rates: Float64, far: float, first: int) -> Float64:
    """For each row, the cosine where the curve falls to `far`, straight in its logarithm."""
    logs = np.log(np.maximum(rates, 1e-300)) - np.log(far)
    above = logs > 0
    last = np.where(above.any(axis=1), logs.shape[1] - 1 - np.argmax(above[:, ::-1], axis=1), 0)
    after = np.minimum(last + 1, logs.shape[1] - 1)
    lines = np.arange(len(logs))
    start, stop = logs[lines, last], logs[lines, after]
    step = np.divide(start, start - stop, out=np.zeros_like(start), where=start > stop)
    places: Float64 = first + last + np.clip(step, 0.0, 1.0)
    return np.clip(2 * places / COARSE - 1, -1.0, 1.0)


def _true_accepts(
    scores: PairScores, index: int, seed: int, resamples: int
) -> tuple[float, float, float]:
    accepted = (scores.genuine_bins >= index).astype(np.float64)
    hits = np.bincount(scores.genuine_identity, weights=accepted, minlength=scores.identities)
    pairs = np.bincount(scores.genuine_identity, minlength=scores.identities).astype(np.float64)
    drawn = [
        (counts @ hits) / np.maximum(counts @ pairs, 1.0)
        for counts in draws(scores.identities, seed, resamples)
    ]
    low, high = np.quantile(np.concatenate(drawn), _INTERVAL)
    mean = float(accepted.mean())
    return round(mean, _DIGITS), round(float(low), _DIGITS), round(float(high), _DIGITS)


def _kept(scores: PairScores, far: float, threshold: float) -> Kept:
    index = round((threshold + 1) * FINE / 2)
    new_far = float(scores.false_accepts()[index]) / scores.impostor_pairs
    new_tar = float((scores.genuine_bins >= index).mean())
    return Kept(far, threshold, round(new_far, 9), round(new_tar, _DIGITS))


def _said(each: Threshold) -> str:
    if each.threshold is None or each.tar is None:
        behind = f"{each.exceedances} false accepts of {each.identities} people stand behind it"
        return f"not resolvable ({behind})"
    return f"{each.threshold:.4f} [{each.low:.4f}, {each.high:.4f}], TAR {100 * each.tar:.2f} %"
