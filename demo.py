"""`personvit demo`: the tour. It runs the same commands a user would type, and prints each one."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .core.command import CommandGroup, option
from .core.errors import PersonvitError, UserError


@dataclass(frozen=True)
class DemoOptions:
    """Generate pedestrians, fine-tune a small transformer on them and show what it can do.

    Everything lands in one folder; running it again starts over.

    Example: personvit demo -o demo-out
    """

    out: Path = option(Path("demo-out"), "folder for the data, the model and the results")
    seed: int = option(0, "seed of the data and of the training", low=0)


@dataclass(frozen=True)
class Tour:
    """The two evaluations that the tour compares."""

    out: Path
    untrained: Mapping[str, Any]
    trained: Mapping[str, Any]

    def as_json(self) -> Mapping[str, Any]:
        return {"out": str(self.out), "untrained": self.untrained, "trained": self.trained}

    def as_text(self) -> str:
        return ""
