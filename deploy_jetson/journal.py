"""What was done to a device, line by line, in a file that survives a loss of power."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import durable

Facts = Mapping[str, Any]
MAX_BYTES = 1 << 20
"""Above this the older half is dropped."""


@dataclass(frozen=True)
class Journal:
    """One JSON object per line. The last line may be torn; it is not read, and closed off."""

    path: Path

    def write(self, action: str, step: str, state: str, /, **facts: Any) -> None:
        entry = {**facts, "time": now(), "action": action, "step": step, "state": state}
        line = json.dumps(entry, default=str).encode() + b"\n"
        new = not self.path.exists()
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line if _ends_well(handle) else b"\n" + line)
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            durable.sync(self.path.parent)

    def entries(self, last: int | None = None) -> tuple[Facts, ...]:
        found = tuple(_readable(self._lines()))
        return found if last is None else found[-last:]

    def trim(self) -> None:
        """Keep the younger half of a long journal."""
        lines = self._lines()
        if sum(map(len, lines)) > MAX_BYTES:
            durable.write(self.path, b"".join(lines[len(lines) // 2 :]))

    def _lines(self) -> list[bytes]:
        if not self.path.is_file():  # a pipe would be waited for
            return []
        return self.path.read_bytes().splitlines(keepends=True)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _ends_well(handle: int) -> bool:
    size = os.fstat(handle).st_size
    return size == 0 or os.pread(handle, 1, size - 1) == b"\n"


def _readable(lines: list[bytes]) -> Iterator[Facts]:
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry
