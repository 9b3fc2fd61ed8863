"""`personvit-benchmark reranking`: time and memory of exact re-ranking, against peers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.command import option
from ..core.metrics.ranking import from_distances
from ..core.metrics.reranking import Reranking
from ..core.metrics.scores import score
from .contest import OURS, Measured, contest, parse_peers
from .ranking_speed import Leg, speed_report
from .report import Report, Setting
from .retrieval_case import MARKET, load_labels, make_case, summary

COMMAND = "personvit-benchmark reranking"


@dataclass(frozen=True)
class RerankingOptions:
    """Time k-reciprocal re-ranking at the size of Market-1501, in turn with peers.

    Peers run from their own checkouts and fill dense matrices: about 10 GB of memory each.
    --k1 50 --k2 15 are PersonViT's settings.

    Example: personvit-benchmark reranking --peer fast-reid=/src/fast-reid -o benchmark/results
    """

    peer: tuple[str, ...] = option((), "NAME=PATH (fast-reid, personvit); may be repeated.")
    k1: int = option(20, "Size of the reciprocal neighbourhood.", low=1)
    k2: int = option(6, "Size of the query expansion.", low=1)
    weight: float = option(0.3, "Share of the original distance.", low=0, high=1)
    rounds: int = option(2, "Runs of each contender.", low=1)
    seed: int = option(0, "Of the random embeddings.", low=0)
    out: Path | None = option(None, "A folder for the report.")


def reranking_speed(options: RerankingOptions) -> Report:
    setting = Setting()
    peers: Mapping[str, Path | None] = parse_peers(options.peer, "rerank")
    settings = Reranking(options.k1, options.k2, options.weight)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_case(MARKET, options.seed).save(folder)
        np.save(folder / "settings.npy", [settings.k1, settings.k2, settings.weight])
        measured = contest("rerank", {OURS: None, **peers}, folder, options.rounds)
        measured = tuple(_with_accuracy(each, folder) for each in measured)
    shape = f"{MARKET.queries:,} x {MARKET.gallery:,}"
    title = (
        f"{MARKET.name}, {shape} embeddings of {MARKET.width}, k1 {settings.k1} k2 {settings.k2}"
    )
    notes = (
        "peers work in float32 or float16 and sort with unpinned ties, so a neighbour may differ; "
        "'near_ours' is the share of distances within 1e-3 of ours",
    )
    return speed_report(
        "reranking", "Re-ranking", options, COMMAND, setting, [Leg(title, measured)], notes
    )


def _with_accuracy(measured: Measured, folder: Path) -> Measured:
    """Score what a contender wrote and compare it with ours."""
    made = np.load(folder / f"{measured.name}-reranked.npy", mmap_mode="r")
    ours = np.load(folder / f"{OURS}-reranked.npy", mmap_mode="r")
    near = 0
    for start in range(0, len(made), 256):
        difference = np.abs(made[start : start + 256] - ours[start : start + 256])
        near += int(np.count_nonzero(difference < 1e-3))
    scores = score(from_distances(made, *load_labels(folder)))
    return replace(measured, facts={**summary(scores), "near_ours": near / made.size})
