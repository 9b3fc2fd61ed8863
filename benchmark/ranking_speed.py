"""`personvit-benchmark ranking`: time and memory of exact ranking, in turn with peers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core.command import option
from .contest import OURS, Measured, contest, parse_peers
from .report import Report, Setting, Table, reproducing
from .retrieval_case import LABELS, MARKET, MSMT17, Size, distances_of, make_case

COMMAND = "personvit-benchmark ranking"
PART = 4
"""A peer that sorts the whole MSMT17 matrix would need 12 GB, so it meets us on a quarter of it."""


@dataclass(frozen=True)
class RankingOptions:
    """Time ranking at the sizes of Market-1501 and MSMT17, in turn with peers.

    Peers run from their own checkouts: --peer fast-reid=PATH (needs Cython and setuptools).

    Example: personvit-benchmark ranking --peer fast-reid=/src/fast-reid -o benchmark/results
    """

    peer: tuple[str, ...] = option((), "NAME=PATH of a peer's checkout; may be repeated.")
    size: Literal["all", "market", "msmt17"] = option("all", "Which sizes.")
    rounds: int = option(5, "Runs of each contender (at most 2 at MSMT17's size).", low=1)
    seed: int = option(0, "Of the random embeddings.", low=0)
    out: Path | None = option(None, "A folder for the report.")


@dataclass(frozen=True)
class Leg:
    """One contest and what it was about."""

    title: str
    measured: tuple[Measured, ...]

    def as_json(self) -> dict[str, Any]:
        ratios = {each.name: round(each.median / self.ours.median, 3) for each in self.measured}
        return {
            "title": self.title,
            "contenders": [each.as_json() for each in self.measured],
            "times_our_time": ratios,
        }

    @property
    def ours(self) -> Measured:
        return next(each for each in self.measured if each.name == OURS)


def ranking_speed(options: RankingOptions) -> Report:
    setting = Setting()
    peers = parse_peers(options.peer, "rank-distances")
    legs: list[Leg] = []
    if options.size in ("all", "market"):
        legs += _legs(MARKET, peers, options.rounds, options.seed, step=1)
    if options.size in ("all", "msmt17"):
        legs += _legs(MSMT17, peers, min(options.rounds, 2), options.seed, step=PART)
    return speed_report("ranking", "Ranking", options, COMMAND, setting, legs)


def speed_report(
    kind: str,
    title: str,
    options: Any,
    command: str,
    setting: Setting,
    legs: Sequence[Leg],
    notes: tuple[str, ...] = (),
) -> Report:
    report = Report(
        kind=kind,
        title=title,
        command=reproducing(command, options),
        setting=setting,
        facts={"legs": [leg.as_json() for leg in legs], "seed": options.seed},
        tables=tuple(_table(leg) for leg in legs),
        notes=("peak memory is the whole process with its inputs", *notes),
    )
    if options.out is not None:
        written = ", ".join(str(path) for path in report.write(options.out, kind))
        report = replace(report, notes=(*report.notes, f"written: {written}"))
    return report


def _legs(
    size: Size, peers: Mapping[str, Path | None], rounds: int, seed: int, step: int
) -> list[Leg]:
    case = make_case(size, seed)
    ours: Mapping[str, Path | None] = {OURS: None}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case.save(folder)
        shape = f"{size.queries:,} x {size.gallery:,}"
        title = f"{size.name}, from {shape} embeddings of {size.width}"
        legs = [Leg(title, contest("rank-embeddings", ours, folder, rounds))]
        np.save(folder / "distances.npy", distances_of(case, step))
        for label in (LABELS[0], LABELS[2]):
            np.save(folder / f"{label}.npy", np.load(folder / f"{label}.npy")[::step])
        shape = f"{len(range(0, size.queries, step)):,} x {size.gallery:,}"
        title = f"{size.name}, from {shape} distances"
        return [*legs, Leg(title, contest("rank-distances", {**ours, **peers}, folder, rounds))]


def _table(leg: Leg) -> Table:
    columns = ("contender", "median s", "fastest s", "CPU s", "times ours", "peak MB", "mAP")
    rows = [
        (
            each.title,
            f"{each.median:.3f}",
            f"{min(each.seconds):.3f}",
            f"{min(each.cpu_seconds):.3f}",
            f"{each.median / leg.ours.median:.2f}",
            f"{each.peak_bytes / 1e6:.0f}",
            f"{100 * each.facts['mean_ap']:.3f}" if "mean_ap" in each.facts else "",
        )
        for each in leg.measured
    ]
    return Table(leg.title, columns, tuple(rows))
