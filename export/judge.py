"""Judges a built engine against the full-precision one on the gate's crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..benchmark.agreement import Agreement, agree
from ..benchmark.comparison import (
    CosineSummary,
    CrossPrecision,
    Flips,
    RetrievalLabels,
    Split,
    cosine_summary,
    cosines,
    cross_precision,
    flips,
)
from ..benchmark.gate import Gate, decide
from ..benchmark.pairs import PairScores, pair_scores
from ..benchmark.thresholds import Thresholds, thresholds
from ..benchmark.verdict import Verdict
from ..core.data.base import cameras, identities
from ..core.errors import CalibrationError
from ..engines.base import EngineInfo
from .calibration import CalibrationSet
from .embedder import Embedder
from .source import Source


@dataclass(frozen=True)
class Accuracy:
    """Retrieval with labels, before and after."""

    labels: RetrievalLabels
    reference: Split
    candidate: Split
    scores: CrossPrecision
    flips: Flips


@dataclass(frozen=True)
class Judgement:
    """The verdict and everything behind it."""

    verdict: Verdict
    accuracy: Accuracy | None
    agreement: Agreement | None
    cosines: CosineSummary
    cosine_values: NDArray[np.float64]
    thresholds: Thresholds | None
    pairs: tuple[PairScores, PairScores] | None
    engines: tuple[EngineInfo, EngineInfo]


def judge(
    source: Source, reference: Embedder, candidate: Embedder, calibration: CalibrationSet
) -> Judgement:
    """By labels, or by agreement where the user chose that."""
    if source.options.gate == "agreement":
        return _by_agreement(source, reference, candidate, calibration)
    return _by_accuracy(source, reference, candidate)


def _by_accuracy(source: Source, reference: Embedder, candidate: Embedder) -> Judgement:
    dataset, seed = source.dataset, source.options.seed
    people = identities(dataset.query)
    labels = RetrievalLabels(
        people, identities(dataset.gallery), cameras(dataset.query), cameras(dataset.gallery)
    )
    before, after = (
        Split(side.samples(dataset.query), side.samples(dataset.gallery))
        for side in (reference, candidate)
    )
    scores = cross_precision(before, after, labels)
    gate = Gate.parse(source.options.gate)
    alike = cosines(*(np.concatenate([side.query, side.gallery]) for side in (before, after)))
    pairs = _pairs(source, reference, candidate)
    return Judgement(
        verdict=decide(scores.reference, scores.candidate, people, gate, seed=seed),
        accuracy=Accuracy(labels, before, after, scores, flips(scores.reference, scores.candidate)),
        agreement=None,
        cosines=cosine_summary(alike),
        cosine_values=alike,
        thresholds=thresholds(*pairs, seed=seed) if pairs else None,
        pairs=pairs,
        engines=(reference.info, candidate.info),
    )


def _by_agreement(
    source: Source, reference: Embedder, candidate: Embedder, calibration: CalibrationSet
) -> Judgement:
    samples = source.unlabelled(calibration)
    if not samples:
        raise CalibrationError(
            f"{source.dataset.root}: calibration takes every crop and leaves none to "
            "judge with; add crops or lower --calibration-crops"
        )
    found = agree(reference.samples(samples), candidate.samples(samples), seed=source.options.seed)
    return Judgement(
        verdict=found.verdict,
        accuracy=None,
        agreement=found,
        cosines=found.cosines,
        cosine_values=found.cosine,
        thresholds=None,
        pairs=None,
        engines=(reference.info, candidate.info),
    )


def _pairs(
    source: Source, reference: Embedder, candidate: Embedder
) -> tuple[PairScores, PairScores] | None:
    """Training people only: thresholds must not be fitted to the gate's own data."""
    if not source.labelled:
        return None
    samples = tuple(source.known_people())
    people, seen_by = identities(samples), cameras(samples)
    before, after = (
        pair_scores(side.samples(samples), people, seen_by) for side in (reference, candidate)
    )
    return before, after
