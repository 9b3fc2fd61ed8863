"""A result that is the same facts as JSON, Markdown and plain text, with all that reproduces it."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..core.files import replacing, write_atomically
from ..core.machine import Machine, load_average, this_machine

SCHEMA = 1


@dataclass(frozen=True)
class Table:
    """What a person reads; every number in it is in the report's facts too."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Setting:
    """Where and when a result was made. Take it before the work, so that the load is not ours."""

    machine: Machine = field(default_factory=this_machine)
    load: float | None = field(default_factory=load_average)
    date: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )


@dataclass(frozen=True)
class Report:
    kind: str
    title: str
    command: str
    setting: Setting
    facts: Mapping[str, Any]
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """What is too long for JSON; written beside it as .npz."""

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "title": self.title,
            "version": __version__,
            "command": self.command,
            "date": self.setting.date,
            "load_average_before": self.setting.load,
            "machine": self.setting.machine.as_json(),
            **self.facts,
            "notes": list(self.notes),
        }

    def as_text(self) -> str:
        parts = [self.title]
        parts += [f"{table.title}\n{_aligned(table)}" for table in self.tables]
        parts += [*self.notes, self._where()]
        return "\n\n".join(parts)

    def as_markdown(self) -> str:
        parts = [f"# {self.title}"]
        parts += [f"## {table.title}\n\n{_markdown(table)}" for table in self.tables]
        if self.notes:
            parts.append("\n".join(f"- {note}" for note in self.notes))
        parts += [f"```\n{self.command}\n```", self._where()]
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path, name: str) -> tuple[Path, ...]:
        """NAME.json, NAME.md and, where there are arrays, NAME.npz; each whole or not at all."""
        written = [folder / f"{name}.json", folder / f"{name}.md"]
        if self.arrays:
            written.append(folder / f"{name}.npz")
            with replacing(written[-1]) as part, part.open("wb") as file:
                np.savez(file, **self.arrays)  # type: ignore[arg-type]
        write_atomically(written[0], json.dumps(self.as_json(), indent=2) + "\n")
        write_atomically(written[1], self.as_markdown())
        return tuple(written)

    def _where(self) -> str:
        load = "unknown" if self.setting.load is None else str(self.setting.load)
        machine = self.setting.machine.as_text()
        return f"{self.setting.date}; load average before {load}; {machine}"


def reproducing(command: str, options: Any) -> str:
    """The shell command that says what this options object says."""
    words, named = command.split(), []
    for each in dataclasses.fields(options):
        value = getattr(options, each.name)
        values = [str(v) for v in value] if isinstance(value, tuple) else [str(value)]
        if each.metadata.get("role") == "argument":
            words += values
        elif value != each.default:
            flag = "--" + each.name.replace("_", "-")
            if isinstance(value, bool):
                named.append(flag if value else f"--no-{flag[2:]}")
            else:
                named += [word for one in values for word in (flag, one)]
    return shlex.join([*words, *named])


def _aligned(table: Table) -> str:
    rows = (table.columns, *table.rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
    lines = []
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


def _markdown(table: Table) -> str:
    rule = ["---", *("---:" for _ in table.columns[1:])]
    rows = (table.columns, rule, *table.rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
