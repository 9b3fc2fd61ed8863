"""One way to build a graph, and a note of the one that served where the first did not."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..core import strict_json
from ..core.errors import UserError
from ..core.files import write_atomically
from .tensorrt_packages import Typing


@dataclass(frozen=True)
class Way:
    typing: Typing
    static: bool
    fp32_layernorm: bool

    def as_text(self) -> str:
        words = [f"{self.typing}ly typed"]
        words += ["one plan per batch size"] if self.static else []
        words += ["LayerNorm in FP32"] if self.fp32_layernorm else []
        return ", ".join(words)


@dataclass(frozen=True)
class Served:
    """A way, and what was wrong with those that were tried before it."""

    way: Way
    problems: tuple[str, ...]


def recall(folder: Path, key: str) -> Served | None:
    """A file that cannot be used is as good as none."""
    try:
        return strict_json.build(Served, strict_json.parse(_file(folder, key).read_bytes()))
    except (OSError, strict_json.DocumentError):
        return None


def remember(folder: Path, key: str, served: Served) -> None:
    """Where it cannot be kept, the ways are tried again next time."""
    with suppress(OSError, UserError):
        write_atomically(_file(folder, key), strict_json.dump(served))


def _file(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.way.json"
