"""Keeps what TensorRT measured of its kernels, so that the next build here need not measure again.

A killed install leaves it in its slot, a finished one too; both are taken up before the slot is
emptied. It holds for one version on one kind of device, which its file's name says.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import durable

PATTERN = "*.timing"


def keep(engine: Path, cache: Path) -> None:
    """Of every file the larger one: a timing cache grows with every build that used it."""
    for path in engine.rglob(PATTERN):
        kept = cache / path.name
        if not kept.exists() or kept.stat().st_size < path.stat().st_size:
            durable.write(kept, path.read_bytes())


def lend(cache: Path, folders: Iterable[Path]) -> None:
    for folder in folders:
        for path in cache.glob(PATTERN):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / path.name).write_bytes(path.read_bytes())
