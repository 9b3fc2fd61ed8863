"""What a finished run has to show: scores, time and where it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.command import Outcome
from ..core.errors import ConfigError
from ..core.files import write_atomically

SCHEMA = 1
NAME = "result.json"
IDENTITIES = "identities"
"""Provenance: a digest of whom the classifier tells apart."""


@dataclass(frozen=True)
class Scores:
    """Retrieval of the query split in the gallery, as fractions."""

    mean_ap: float
    rank1: float
    rank5: float
    minp: float
    queries: int
    skipped_queries: int


@dataclass(frozen=True)
class FinetuneResult:
    """Written as `result.json`; the text is for the terminal."""

    model: str
    data: str
    start: str
    recipe: str
    epochs: int
    steps: int
    training_crops: int
    identities: int
    seconds: float
    """Of training alone, all sittings together."""
    scores: Scores | None
    machine: Mapping[str, Any]
    command: str
    skipped_crops: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    def as_text(self) -> str:
        lines = [
            f"model     {self.model}",
            f"start     {self.start}",
            f"recipe    {self.recipe}: {self.epochs} epochs, {self.steps} steps in "
            f"{duration(self.seconds)}",
            f"data      {self.data}: {self.training_crops} crops of {self.identities} people",
            f"machine   {self.machine.get('gpu') or self.machine['cpu']}, "
            f"{self.machine['threads']} threads, torch {self.machine['packages'].get('torch')}",
        ]
        if self.skipped_crops:
            lines.append(f"skipped   {len(self.skipped_crops)} unreadable crops (in {NAME})")
        lines.append(_score_line(self.scores))
        return "\n".join(lines)


@dataclass(frozen=True)
class HelperResult:
    """A process that does not lead has nothing of its own to report."""

    rank: int

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "process": self.rank}

    def as_text(self) -> str:
        return f"process {self.rank} finished; process 0 reports"


def write_result(folder: Path, result: Outcome) -> None:
    write_atomically(folder / NAME, json.dumps(result.as_json(), indent=2) + "\n")


def read_result(folder: Path) -> FinetuneResult | None:
    """The result of a run that is already finished."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        del values["schema"]
        scores = values.pop("scores")
        skipped = tuple(values.pop("skipped_crops"))
        return FinetuneResult(
            **values, scores=Scores(**scores) if scores else None, skipped_crops=skipped
        )
    except (ValueError, TypeError, KeyError) as problem:
        raise ConfigError(f"{path} is damaged ({problem}); remove it and use --resume") from None


def _score_line(scores: Scores | None) -> str:
    if scores is None:
        return "scores    not evaluated"
    return (
        f"scores    mAP {scores.mean_ap:.1%}, Rank-1 {scores.rank1:.1%}, mINP {scores.minp:.1%} "
        f"({scores.queries} queries)"
    )


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
