"""What a distillation has to show: the student's scores beside its teacher's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import ConfigError
from ...core.files import write_atomically
from ..result import NAME, SCHEMA, Scores


@dataclass(frozen=True)
class Comparison:
    """Retrieval by the student, by its teacher, and by the student in the teacher's gallery."""

    student: Scores
    teacher: Scores
    across: Scores | None
    """The student's queries in the teacher's gallery; only where both share a space."""

    @property
    def kept(self) -> float:
        """The share of the teacher's mAP."""
        return self.student.mean_ap / max(self.teacher.mean_ap, 1e-12)

    def lines(self) -> list[str]:
        rows = [("teacher", self.teacher), ("student", self.student)]
        if self.across is not None:
            rows.append(("across", self.across))
        lines = [
            f"{name:9s} mAP {one.mean_ap:.1%}, Rank-1 {one.rank1:.1%}, mINP {one.minp:.1%} "
            f"({one.queries} queries)"
            for name, one in rows
        ]
        return [*lines, f"kept      {self.kept:.1%} of the teacher's mAP"]


@dataclass(frozen=True)
class DistillResult:
    """Written as `result.json`; the text is for the terminal."""

    model: str
    teacher: str
    data: str
    start: str
    recipe: str
    lessons: tuple[str, ...]
    epochs: int
    steps: int
    training_crops: int
    identities: int
    seconds: float
    """Of training alone, all sittings together."""
    scores: Comparison | None
    machine: Mapping[str, Any]
    command: str
    skipped_crops: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        facts = asdict(self)
        if self.scores is not None:
            facts["scores"]["kept"] = self.scores.kept
        return {"schema": SCHEMA, **facts}

    def as_text(self) -> str:
        people = f" of {self.identities} people" if self.identities else ", unlabelled"
        lines = [
            f"model     {self.model}",
            f"teacher   {self.teacher}",
            f"start     {self.start}",
            f"recipe    {self.recipe}: {self.epochs} epochs, {self.steps} steps in "
            f"{self.seconds:.0f} s",
            f"lessons   {', '.join(self.lessons)}",
            f"data      {self.data}: {self.training_crops} crops{people}",
            f"machine   {self.machine.get('gpu') or self.machine['cpu']}, "
            f"{self.machine['threads']} threads, torch {self.machine['packages'].get('torch')}",
        ]
        if self.skipped_crops:
            lines.append(f"skipped   {len(self.skipped_crops)} unreadable crops (in {NAME})")
        return "\n".join([*lines, *(self.scores.lines() if self.scores else ["not evaluated"])])


def write_result(folder: Path, result: DistillResult) -> None:
    write_atomically(folder / NAME, json.dumps(result.as_json(), indent=2) + "\n")


def read_result(folder: Path) -> DistillResult | None:
    """The result of a run that is already finished."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        del values["schema"]
        scores = _comparison(values.pop("scores"))
        for name in ("lessons", "skipped_crops"):
            values[name] = tuple(values[name])
        return DistillResult(**values, scores=scores)
    except (ValueError, TypeError, KeyError) as problem:
        raise ConfigError(f"{path} is damaged ({problem}); remove it and use --resume") from None


def _comparison(values: Mapping[str, Any] | None) -> Comparison | None:
    if values is None:
        return None
    across = values["across"]
    return Comparison(
        Scores(**values["student"]),
        Scores(**values["teacher"]),
        Scores(**across) if across else None,
    )
