"""`personvit-data pool`: what a pool holds, and with --check which of its images cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from ...command import argument, option
from ...images import decode
from ..crops import default_workers
from .catalogue import Pool, open_pool
from .sweep import Unreadable, sweep


@dataclass(frozen=True)
class PoolOptions:
    """Describe a pool of unlabelled crops: a folder, a list, an LMDB or shards.

    The first look lists its names into a file of the cache ($XDG_CACHE_HOME/personvit/pools).

    Example: personvit-data pool /data/lup_lmdb --keep CFS_list.pkl --check
    """

    where: Path = argument("The folder or file.")
    keep: Path | None = option(None, "Look at the images of this list only (.txt or .pkl).")
    kind: str | None = option(None, "Its kind, where it cannot be recognised.")
    check: bool = option(False, "Decode every image and name those that cannot be read.")
    workers: int | None = option(None, "Threads; all processors by default.", low=1, high=1024)
    first: int = option(5, "How many names to show.", low=0, high=1000)


@dataclass(frozen=True)
class PoolReport:
    """A pool in numbers; `unreadable` without --check counts those that are not there."""

    where: str
    kind: str
    images: int
    bytes: int
    digest: str
    first: tuple[str, ...]
    checked: bool
    unreadable: int
    reasons: tuple[str, ...]
    keep_listed: int | None
    keep_missing: int | None

    def as_json(self) -> Mapping[str, Any]:
        return {"schema": 1, **asdict(self)}

    def as_text(self) -> str:
        lines = [
            f"{self.where}: {self.kind}, {self.images} images, {self.bytes / 1e6:.1f} MB",
            f"digest: {self.digest}",
            f"first: {', '.join(self.first)}",
        ]
        if self.keep_missing:
            lines.append(
                f"note: {self.keep_missing} of {self.keep_listed} names of the list are not here"
            )
        what = "cannot be read" if self.checked else "are not there"
        if self.unreadable or self.checked:
            lines.append(f"{self.unreadable} of {self.images} images {what}")
        lines += [f"  {reason}" for reason in self.reasons]
        if more := self.unreadable - len(self.reasons):
            lines.append(f"  and {more} more")
        return "\n".join(lines)


def describe(options: PoolOptions) -> PoolReport:
    with closing(open_pool(options.where, options.keep, options.kind)) as pool:
        size, bad = _looked_at(pool, options)
        notes = pool.index.notes if options.keep else {}
        return PoolReport(
            where=str(options.where),
            kind=pool.name,
            images=len(pool),
            bytes=size,
            digest=pool.digest,
            first=tuple(pool.key(number) for number in range(min(options.first, len(pool)))),
            checked=options.check,
            unreadable=bad.count,
            reasons=tuple(bad.reasons),
            keep_listed=notes.get("listed"),
            keep_missing=notes.get("missing"),
        )


def _looked_at(pool: Pool, options: PoolOptions) -> tuple[int, Unreadable]:
    """Bytes of all images, and which could not be had."""
    size, bad = 0, Unreadable()

    def decoded(number: int) -> int:
        data = pool.read(number)
        decode(data, f"{pool.where}:{pool.key(number)}")
        return len(data)

    work = decoded if options.check else pool.size
    workers = options.workers or default_workers()
    with (
        click.progressbar(length=len(pool), label="reading the pool", file=sys.stderr) as bar,
        closing(sweep(range(len(pool)), work, workers)) as images,
    ):
        for swept in images:
            if swept.problem is not None:
                bad.add(swept.problem)
            size += swept.thing or 0
            bar.update(1)
    return size, bad
