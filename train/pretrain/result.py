"""What a finished pre-training run has to show: weights, losses, probes, and where it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...core.errors import ConfigError
from ..result import NAME, SCHEMA, Scores, duration


@dataclass(frozen=True)
class Probed:
    """How well the teacher of one step found the people of a labelled data set."""

    step: int
    neighbours: Scores
    linear: Scores | None = None

    def as_text(self) -> str:
        line = f"step {self.step}: mAP {self.neighbours.mean_ap:.1%}"
        if self.linear is not None:
            line += f" (behind a linear map {self.linear.mean_ap:.1%})"
        return line

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Probed:
        linear = values["linear"]
        scores = Scores(**values["neighbours"])
        return cls(values["step"], scores, None if linear is None else Scores(**linear))


@dataclass(frozen=True)
class PretrainResult:
    """Written as `result.json`; the text is for the terminal."""

    model: str
    upstream: str
    data: str
    start: str
    recipe: str
    method: str
    epochs: int
    steps: int
    bad_images: int
    """Different ones that process 0 met since the last start."""
    bad: tuple[str, ...]
    """Why, for the first of them."""
    images_per_second: float
    """Through the training steps of the last sitting, over all processes."""
    seconds: float
    """Of training alone, all sittings together."""
    losses: Mapping[str, float]
    """Means since the last line of the log."""
    probes: tuple[Probed, ...]
    machine: Mapping[str, Any]
    command: str

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    def as_text(self) -> str:
        lines = [
            f"model     {self.model} (the teacher), {self.upstream} (the published layout)",
            f"start     {self.start}",
            f"recipe    {self.recipe} ({self.method}): {self.epochs} epochs, {self.steps} steps in "
            f"{duration(self.seconds)}, {self.images_per_second:.0f} images/s",
            f"data      {self.data}",
            f"machine   {self.machine.get('gpu') or self.machine['cpu']}, "
            f"{self.machine['threads']} threads, torch {self.machine['packages'].get('torch')}",
            "loss      " + ", ".join(f"{name} {value:.4g}" for name, value in self.losses.items()),
        ]
        if self.bad_images:
            lines.append(f"replaced  {self.bad_images} bad images (in {NAME})")
        if self.probes:
            first, last = self.probes[0], self.probes[-1]
            lines.append(f"probe     {first.as_text()}; {last.as_text()}")
        return "\n".join(lines)


def read_pretrain_result(folder: Path) -> PretrainResult | None:
    """The result of a run that is already finished."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        del values["schema"]
        probes = tuple(Probed.from_dict(one) for one in values.pop("probes"))
        bad = tuple(values.pop("bad"))
        return PretrainResult(**values, bad=bad, probes=probes)
    except (ValueError, TypeError, KeyError) as problem:
        raise ConfigError(f"{path} is damaged ({problem}); remove it and use --resume") from None
