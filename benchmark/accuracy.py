"""`personvit-benchmark evaluate`: how well weights find people in a data set."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.command import argument, option
from ..core.data.base import ReidDataset, Sample
from ..core.data.catalogue import open_dataset, stats
from ..core.data.check import SYNTHETIC
from ..core.errors import ConfigError
from ..core.files import refuse_unwritable, sha256
from ..core.metrics.catalogue import metrics
from ..core.metrics.exact import Metric
from ..core.metrics.reranking import Reranking
from ..core.metrics.scores import RetrievalScores
from ..core.metrics.scores import evaluate as rank_and_score
from ..engines.base import EngineInfo, EngineOptions
from ..engines.catalogue import DEFAULT, open_engine
from .embedding import EmbeddedSplit, Reading, embed_split
from .report import Report, Setting, Table, reproducing

COMMAND = "personvit-benchmark evaluate"


@dataclass(frozen=True)
class EvaluateOptions:
    """Embed query and gallery, rank, and report mAP, Rank-1/5/10 and mINP.

    With -o the report is written as evaluation.json and .md, and every query's own values as
    evaluation.npz. --rerank is the published k-reciprocal re-ranking (k1 20, k2 6, weight 0.3);
    PersonViT's own code uses --k1 50 --k2 15.

    Example: personvit-benchmark evaluate weights.safetensors --data /data/Market-1501 -o results
    """

    weights: str = argument("Weights of any known family: a file, hf://... or a short name.")
    data: Path | None = option(None, "The data set's folder.")
    kind: str | None = option(None, "The data set's format, where it cannot be recognised.")
    split: str = option("query/gallery", "Which split asks and which one is searched.")
    metric: Metric = option("cosine", "How embeddings are compared.")
    rerank: bool = option(False, "Re-rank with k-reciprocal neighbours.")
    k1: int = option(20, "Re-ranking: size of the reciprocal neighbourhood.", low=1)
    k2: int = option(6, "Re-ranking: size of the query expansion.", low=1)
    weight: float = option(0.3, "Re-ranking: share of the original distance.", low=0, high=1)
    engine: str = option(DEFAULT, "The runtime; see 'personvit-engine list'.")
    precision: str | None = option(None, "Such as fp32, bf16 or fp16; the engine's own by default.")
    device: str | None = option(None, "Such as cpu or cuda:0; the engine's own by default.")
    batch: int = option(32, "Images per batch.", low=1)
    workers: int | None = option(None, "Threads that read images.", low=1, high=1024)
    skip_bad: bool = option(False, "Leave out images that cannot be read, and list them.")
    out: Path | None = option(None, "A folder for the report.")


@dataclass(frozen=True)
class _Run:
    """Everything a report is made of."""

    dataset: ReidDataset
    engine: EngineInfo
    space: str | None
    preprocess: dict[str, Any]
    query: EmbeddedSplit
    gallery: EmbeddedSplit
    scores: RetrievalScores
    ranking_seconds: float


def evaluate(options: EvaluateOptions) -> Report:
    setting = Setting()
    if options.out is not None:
        refuse_unwritable(options.out / "evaluation.json")
    report = _report(options, setting, _measure(options))
    if options.out is not None:
        written = report.write(options.out, "evaluation")
        names = ", ".join(str(path) for path in written)
        report = replace(report, notes=(*report.notes, f"written: {names}"))
    return report


def _measure(options: EvaluateOptions) -> _Run:
    dataset, asks, searched = _splits(options)
    asked = EngineOptions(options.precision, options.device, options.batch)
    reading = Reading(options.batch, options.workers, options.skip_bad)
    known = {name: row for row, name in enumerate(sorted({s.camera for s in dataset.train}))}
    with open_engine(options.weights, options.engine, asked) as engine:
        query, gallery = (
            embed_split(engine, dataset.root, samples, reading, label=label, camera_index=known)
            for label, samples in (("query", asks), ("gallery", searched))
        )
        spec = next(spec for spec in engine.outputs if spec.meaning == "embedding")
        info, preprocess = engine.info(), engine.preprocess
    began = time.perf_counter()
    scores = rank_and_score(
        query.vectors,
        gallery.vectors,
        query.identities,
        gallery.identities,
        query.cameras,
        gallery.cameras,
        metric=options.metric,
        rerank=_reranking(options),
    )
    return _Run(
        dataset=dataset,
        engine=info,
        space=spec.space,
        preprocess={**preprocess.to_dict(), "digest": preprocess.digest()},
        query=query,
        gallery=gallery,
        scores=scores,
        ranking_seconds=time.perf_counter() - began,
    )


def _splits(options: EvaluateOptions) -> tuple[ReidDataset, tuple[Sample, ...], tuple[Sample, ...]]:
    if options.data is None:
        raise ConfigError("say which data set: --data FOLDER")
    dataset = open_dataset(options.data, options.kind)
    splits = dataset.splits()
    names = options.split.split("/")
    if len(names) != 2 or not set(names) <= set(splits):
        raise ConfigError(
            f"--split {options.split!r} is not understood; give two of {', '.join(splits)} "
            "with a '/' between them, such as query/gallery"
        )
    for name in names:
        if not splits[name]:
            raise ConfigError(
                f"{dataset.root}: the {name} split of this {dataset.name} data set is empty; "
                "queries need labelled people whom two cameras saw. 'personvit-data stats' shows "
                "what was found, --split names other splits"
            )
    return dataset, splits[names[0]], splits[names[1]]


def _reranking(options: EvaluateOptions) -> Reranking | None:
    return Reranking(options.k1, options.k2, options.weight) if options.rerank else None


def _report(options: EvaluateOptions, setting: Setting, run: _Run) -> Report:
    images = len(run.query.samples) + len(run.gallery.samples)
    embedding = run.query.seconds + run.gallery.seconds
    bad = [*run.query.bad, *run.gallery.bad]
    facts = {
        "scores": run.scores.as_json(),
        "weights": {"source": options.weights, "space": run.space, **_digest(options.weights)},
        "data": {
            "format": run.dataset.name,
            "split": options.split,
            "counts": stats(run.dataset),
            "skipped": [image._asdict() for image in bad],
        },
        "engine": run.engine.as_json(),
        "preprocess": run.preprocess,
        "metric": options.metric,
        "reranking": asdict(found) if (found := _reranking(options)) else None,
        "seconds": {"embedding": embedding, "ranking": run.ranking_seconds},
        "images_per_second": images / embedding,
    }
    notes = [f"{len(bad)} images could not be read and were left out"] if bad else []
    if (run.dataset.root / SYNTHETIC).is_file():
        notes.append("synthetic pedestrians: nothing measured here is an accuracy on real people")
    speed = Table(
        "Time",
        ("step", "seconds", "per second"),
        (
            (f"embedding {images} crops", f"{embedding:.1f}", f"{images / embedding:.1f}"),
            ("ranking", f"{run.ranking_seconds:.2f}", ""),
        ),
    )
    title = f"{Path(options.weights).name} on {run.dataset.name} {options.split}"
    return Report(
        kind="evaluation",
        title=title + (" re-ranked" if options.rerank else ""),
        command=reproducing(COMMAND, options),
        setting=setting,
        facts=facts,
        tables=(_accuracy(run.scores), speed),
        notes=(run.engine.as_text(), *notes),
        arrays=_arrays(run),
    )


def _accuracy(scores: RetrievalScores) -> Table:
    shown = [(metric.title, f"{100 * scores.mean(metric.key):.2f} %") for metric in metrics()]
    return Table(
        "Accuracy",
        (*(title for title, _ in shown), "queries", "without a match"),
        ((*(value for _, value in shown), str(scores.n_queries), str(scores.n_skipped)),),
    )


def _arrays(run: _Run) -> dict[str, NDArray[Any]]:
    paths = np.array([sample.path for sample in run.query.samples])
    labels = {"path": paths, "identity": run.query.identities, "camera": run.query.cameras}
    return {**labels, **run.scores.per_query}


def _digest(weights: str) -> dict[str, str]:
    path = Path(weights)
    return {"sha256": sha256(path)} if path.is_file() else {}
