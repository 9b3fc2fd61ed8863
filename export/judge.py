"""Embeds the gate's crops with the full-precision engine and with the built one, and compares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from ..benchmark.embedding import Reading, embed_split
from ..benchmark.gate import Gate, decide
from ..benchmark.pairs import PairScores, pair_scores
from ..benchmark.thresholds import Thresholds, thresholds
from ..benchmark.verdict import Verdict
from ..core.data.base import Sample, cameras, identities
from ..core.errors import CalibrationError
from ..core.files import write_atomically
from ..engines.base import Engine, EngineInfo, EngineOptions
from ..engines.catalogue import open_engine
from .calibration import CalibrationSet
from .graphs import Graphs, Written
from .source import BATCH, Source, digest_of
from .workspace import Workspace

RUNTIME = "openvino"
Embeddings = NDArray[np.float32]


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


class Judge:
    """The two engines on this machine, opened from the graphs that go into the bundle."""

    def __init__(self, source: Source, graphs: Graphs, workspace: Workspace) -> None:
        self._source, self._workspace = source, workspace
        self._graphs = (graphs.reference, graphs.candidate)

    def __enter__(self) -> Judge:
        self.reference, self.candidate = (self._open(graph) for graph in self._graphs)
        return self

    def __exit__(self, *_: object) -> None:
        self.reference.close()
        self.candidate.close()

    def judge(self, calibration: CalibrationSet) -> Judgement:
        if self._source.options.gate == "agreement":
            return self._by_agreement(calibration)
        return self._by_accuracy(Gate.parse(self._source.options.gate))

    def _by_accuracy(self, gate: Gate) -> Judgement:
        dataset, seed = self._source.dataset, self._source.options.seed
        query, gallery = self._embed(dataset.query), self._embed(dataset.gallery)
        labels = RetrievalLabels(
            identities(dataset.query),
            identities(dataset.gallery),
            cameras(dataset.query),
            cameras(dataset.gallery),
        )
        reference, candidate = (Split(query[i], gallery[i]) for i in (0, 1))
        scores = cross_precision(reference, candidate, labels)
        people = identities(dataset.query)
        verdict = decide(scores.reference, scores.candidate, people, gate, seed=seed)
        changed = flips(scores.reference, scores.candidate)
        accuracy = Accuracy(labels, reference, candidate, scores, changed)
        alike = cosines(*(np.concatenate([query[i], gallery[i]]) for i in (0, 1)))
        pairs = self._pairs()
        return Judgement(
            verdict=verdict,
            accuracy=accuracy,
            agreement=None,
            cosines=cosine_summary(alike),
            cosine_values=alike,
            thresholds=thresholds(*pairs, seed=seed) if pairs else None,
            pairs=pairs,
            engines=(self.reference.info(), self.candidate.info()),
        )

    def _by_agreement(self, calibration: CalibrationSet) -> Judgement:
        samples = self._source.unlabelled(calibration)
        if not samples:
            raise CalibrationError(
                f"{self._source.dataset.root}: calibration takes every crop and leaves none to "
                "judge with; add crops or lower --calibration-crops"
            )
        teacher, student = self._embed(samples)
        found = agree(teacher, student, seed=self._source.options.seed)
        return Judgement(
            verdict=found.verdict,
            accuracy=None,
            agreement=found,
            cosines=found.cosines,
            cosine_values=found.cosine,
            thresholds=None,
            pairs=None,
            engines=(self.reference.info(), self.candidate.info()),
        )

    def _pairs(self) -> tuple[PairScores, PairScores] | None:
        """Training people only: thresholds must not be fitted to the gate's own data."""
        if not self._source.labelled:
            return None
        samples = tuple(self._source.known_people())
        people, seen_by = identities(samples), cameras(samples)
        before, after = self._embed(samples)
        return pair_scores(before, people, seen_by), pair_scores(after, people, seen_by)

    def _embed(self, samples: Sequence[Sample]) -> tuple[Embeddings, Embeddings]:
        """By both engines; what was embedded in an interrupted run is not embedded again."""
        both = zip((self.reference, self.candidate), self._graphs, strict=True)
        first, second = (self._kept(engine, graph, samples) for engine, graph in both)
        return first, second

    def _kept(self, engine: Engine, graph: Written, samples: Sequence[Sample]) -> Embeddings:
        source, info = self._source, engine.info()
        reading = Reading(BATCH, source.options.workers)
        name = f"embedding, {graph.precision}"

        def make() -> Embeddings:
            return embed_split(engine, source.dataset.root, samples, reading, label=name).vectors

        onnx = hashlib.sha256(graph.onnx).hexdigest()
        crops = digest_of(source.dataset, samples)
        return self._workspace.array(make, "embeddings", onnx, crops, info.as_json())

    def _open(self, graph: Written) -> Engine:
        path = self._graph_file(graph)
        options = EngineOptions(precision=graph.precision, batch=BATCH)
        return open_engine(str(path), RUNTIME, options)

    def _graph_file(self, graph: Written) -> Path:
        path = self._workspace.folder / f"{graph.name}-{graph.precision}.onnx"
        write_atomically(path, graph.onnx)
        return path
