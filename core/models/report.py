"""What an import did to every key of a file: matched, dropped, changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .config import ModelConfig


@dataclass(frozen=True)
class Dropped:
    key: str
    reason: str


@dataclass(frozen=True)
class Changed:
    key: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """The account of one file. `matched` maps each of its keys to the model's name for it."""

    file: str
    family: str
    title: str
    config: ModelConfig
    matched: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()
    changed: tuple[Changed, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "family": self.family,
            "title": self.title,
            "config": self.config.to_dict(),
            "matched": dict(self.matched),
            "dropped": [asdict(entry) for entry in self.dropped],
            "changed": [asdict(entry) for entry in self.changed],
            "notes": list(self.notes),
        }

    def as_text(self) -> str:
        rows = [
            *(("matched", count, group) for group, count in _groups(self.matched)),
            *(("dropped", count, reason) for reason, count in self._drop_reasons()),
            *(("changed", 1, _arrow(entry)) for entry in self.changed),
        ]
        lines = [f"{self.file}: {self.title}", _summary(self.config), ""]
        lines += [f"{what:8} {count:5}  {text}" for what, count, text in rows]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _drop_reasons(self) -> list[tuple[str, int]]:
        by_reason: dict[str, list[str]] = {}
        for entry in self.dropped:
            by_reason.setdefault(entry.reason, []).append(entry.key)
        return [(f"{reason}: {_some(keys)}", len(keys)) for reason, keys in by_reason.items()]


def _groups(keys: Mapping[str, str]) -> list[tuple[str, int]]:
    """Keys gathered by what they belong to, all blocks in one line."""
    short = (re.sub(r"blocks\.\d+\..*", "blocks.*", key) for key in keys)
    return list(Counter(re.sub(r"\.[a-z_]+$", ".*", key) for key in short).items())


def _some(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} ... {keys[-1]}"


def _arrow(entry: Changed) -> str:
    before, after = ("x".join(str(size) for size in shape) for shape in (entry.before, entry.after))
    return f"{entry.key} {before} -> {after}: {entry.reason}"


def _summary(config: ModelConfig) -> str:
    rows, columns = config.grid
    if config.convolutional:
        return (
            f"{config.title}, {config.height_px}x{config.width_px} pixels, neck {config.neck}, "
            f"embedding {config.embedding} {config.neck_feature} the neck, {config.classes} classes"
        )
    return (
        f"width {config.width}, {config.depth} blocks, {config.heads} heads, "
        f"{config.height_px}x{config.width_px} pixels in {rows}x{columns} patches, "
        f"stem {config.stem}, tokens {config.tokens}{_steps(config)}, neck {config.neck}, "
        f"embedding {config.embedding} {config.neck_feature} the neck, {config.classes} classes"
    )


def _steps(config: ModelConfig) -> str:
    """What a token schedule leaves, such as `, 96 patches after 4 blocks`."""
    return "".join(
        f", {stay} patches after {blocks} blocks" for blocks, stay in config.token_schedule
    )
