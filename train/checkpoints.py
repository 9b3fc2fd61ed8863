"""Where a run stands, on disk: whole files only, the newest few kept, damage noticed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..core.errors import CheckpointError
from ..core.files import replacing, sha256, write_atomically

SCHEMA = 1
Payload = dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """Numbered by step; each `.pt` has a `.json` beside it that is written last and seals it."""

    folder: Path
    keep: int = 2

    def save(
        self, step: int, payload: Payload, facts: Mapping[str, Any], forget: bool = True
    ) -> None:
        """`forget=False` keeps every older one: for a run that may have gone wrong."""
        path = self._path(step)
        with replacing(path) as part:
            torch.save(payload, part)
        seal = {"schema": SCHEMA, "step": step, "sha256": sha256(path), **facts}
        write_atomically(path.with_suffix(".json"), json.dumps(seal, indent=2) + "\n")
        if forget:
            self._forget_old()

    def newest(self) -> tuple[Payload | None, tuple[str, ...]]:
        """The newest whole checkpoint, and a sentence about each newer one that is damaged."""
        notices: list[str] = []
        paths = sorted(self.folder.glob("step-*.pt"), reverse=True)
        for path in paths:
            problem = _damage(path)
            if problem is None:
                return _load(path), tuple(notices)
            notices.append(f"{path.name} is {problem}, so it is passed over")
        if paths:
            raise CheckpointError(
                f"no checkpoint in {self.folder} can be used: {'; '.join(notices)}. "
                "Start again with another -o"
            )
        return None, ()

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.pt"

    def _forget_old(self) -> None:
        for path in sorted(self.folder.glob("step-*.pt"), reverse=True)[self.keep :]:
            # The seal goes first: a checkpoint without one is never taken for a good one.
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def _damage(path: Path) -> str | None:
    try:
        seal = json.loads(path.with_suffix(".json").read_text())
        if seal["schema"] != SCHEMA:
            return f"of schema {seal['schema']} (this version reads {SCHEMA})"
        return None if seal["sha256"] == sha256(path) else "damaged (its digest differs)"
    except FileNotFoundError:
        return "incomplete (the run ended while it was written)"
    except (ValueError, KeyError, TypeError):
        return "damaged (its .json cannot be read)"


def _load(path: Path) -> Payload:
    payload: Payload = torch.load(path, map_location="cpu", weights_only=True)
    return payload
