"""`personvit-data shard`: a pool as tar archives that are read in sequence, with their index.

Archive k holds images [k n, (k + 1) n) of the source, so a run that was killed goes on with the
first archive that is missing, and ends with the bytes that an undisturbed one writes.
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np

from ...command import LARGEST_SEED, argument, option
from ...errors import DataError
from ...files import replacing, write_atomically
from ...images import decode
from ..crops import default_workers
from .base import Entry, Watched, stem
from .catalogue import Pool, open_pool
from .index_file import Index, write_index
from .permutation import Permutation
from .shards import INDEX, UNFINISHED, images_of
from .shards import KIND as SHARDS
from .sweep import Unreadable, sweep


@dataclass(frozen=True)
class ShardOptions:
    """Write a pool of unlabelled crops as WebDataset shards, which any disk reads fast.

    Images that cannot be read are left out and named. A run that was stopped goes on where it was
    when the same command is given again.

    Example: personvit-data shard /data/lup_lmdb /data/lup_shards --keep CFS_list.pkl --seed 0
    """

    source: Path = argument("A folder, a list, an LMDB or other shards.")
    out: Path = argument("The folder to make.")
    keep: Path | None = option(None, "Take the images of this list only (.txt or .pkl).")
    kind: str | None = option(None, "The source's kind, where it cannot be recognised.")
    images_per_shard: int = option(10_000, "In each archive but the last.", low=1)
    seed: int | None = option(
        None, "Shuffle with this seed; else the order stays.", low=0, high=LARGEST_SEED
    )
    check: bool = option(False, "Decode every image and leave out those that are damaged.")
    max_bad_share: float = option(0.01, "Stop when more images than that are bad.", low=0, high=1)
    workers: int | None = option(None, "Threads; all processors by default.", low=1, high=1024)


@dataclass(frozen=True)
class ShardReport:
    """What was written."""

    out: str
    images: int
    shards: int
    digest: str
    unreadable: int
    reasons: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        return {"schema": 1, **asdict(self)}

    def as_text(self) -> str:
        lines = [f"{self.out}: {self.images} images in {self.shards} shards, {self.digest}"]
        if self.unreadable:
            lines.append(f"{self.unreadable} images cannot be read and were left out:")
            lines += [f"  {reason}" for reason in self.reasons]
        return "\n".join(lines)


def shard(options: ShardOptions) -> ShardReport:
    """Write the archives one by one, each whole or not at all, and the index when all are there."""
    with closing(open_pool(options.source, options.keep, options.kind)) as pool:
        settings = _settings(options, pool)
        if not _claimed(options.out, settings):
            index = Index(options.out / INDEX)
            return _report(options.out, index, Unreadable(int(index.notes["unreadable"])))
        return _Writing(options, pool, settings).run()


def _settings(options: ShardOptions, pool: Pool) -> dict[str, Any]:
    chosen = {name: getattr(options, name) for name in ("images_per_shard", "seed", "check")}
    return {"source": pool.digest, "images": len(pool), **chosen}


def _claimed(out: Path, settings: dict[str, Any]) -> bool:
    """Begin or go on; False when all is written already."""
    note, index = out / UNFINISHED, out / INDEX
    if note.is_file():
        if json.loads(note.read_text(encoding="utf-8")) != settings:
            raise DataError(
                f"{out}: begun from another source or with other options; empty it, or name "
                "another folder"
            )
        return True
    if index.is_file():
        notes = Index(index).notes
        if {key: notes.get(key) for key in settings} == settings:
            return False
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is there already and not empty: name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(note, json.dumps(settings))
    return True


class _Writing:
    """A run over all archives."""

    def __init__(self, options: ShardOptions, pool: Pool, settings: dict[str, Any]) -> None:
        self._options, self._pool, self._settings = options, pool, settings
        self._out, self._each = options.out, options.images_per_shard
        self._count = -(-len(pool) // self._each)
        self._bad = Unreadable()

    def run(self) -> ShardReport:
        notes = dict(self._settings)
        watched: list[Watched] = []
        with click.progressbar(
            length=len(self._pool), label="writing shards", file=sys.stderr
        ) as bar:
            entries = self._entries(watched, notes, bar)
            write_index(self._out / INDEX, SHARDS.name, entries, watched, notes)
        (self._out / UNFINISHED).unlink()
        return _report(self._out, Index(self._out / INDEX), self._bad)

    def _entries(self, watched: list[Watched], notes: dict[str, Any], bar: Any) -> Iterator[Entry]:
        written = 0
        for number in range(self._count):
            path = self._out / f"shard-{number:06d}.tar"
            numbers = self._numbers(number)
            if not path.is_file():
                self._write(path, numbers)
            for entry in _named(images_of(path, number), self._pool, numbers):
                written += 1
                yield entry
            watched.append(Watched(path.name, 0, path.stat().st_size))
            bar.update(len(numbers))
        notes["unreadable"] = len(self._pool) - written
        self._bad.count = len(self._pool) - written

    def _numbers(self, shard: int) -> list[int]:
        start = shard * self._each
        places = np.arange(start, min(start + self._each, len(self._pool)))
        if self._options.seed is not None:
            places = Permutation(len(self._pool), (self._options.seed,))(places)
        return [int(place) for place in places]

    def _write(self, path: Path, numbers: list[int]) -> None:
        workers = self._options.workers or default_workers()
        with (
            replacing(path) as part,
            tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as archive,
            closing(sweep(numbers, self._read, workers)) as images,
        ):
            for swept in images:
                if swept.problem is not None:
                    self._leave_out(swept.problem)
                if swept.thing is None:
                    continue
                member = tarfile.TarInfo(member_name(self._pool.key(swept.number), swept.thing))
                member.size = len(swept.thing)
                archive.addfile(member, BytesIO(swept.thing))

    def _read(self, number: int) -> bytes:
        data = self._pool.read(number)
        if not data or self._options.check:
            decode(data, f"{self._pool.where}:{self._pool.key(number)}")
        return data

    def _leave_out(self, problem: DataError) -> None:
        self._bad.add(problem)
        if self._bad.count > self._options.max_bad_share * len(self._pool):
            reasons = "\n  ".join(self._bad.reasons)
            raise DataError(
                f"{self._pool.where}: more than {100 * self._options.max_bad_share:g} % of the "
                f"images cannot be read; mend the pool, or raise --max-bad-share\n  {reasons}"
            )


def member_name(key: str, data: bytes) -> str:
    """A key as a path that stays inside a folder, with a suffix that says what it is."""
    parts = [part for part in key.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) + ("" if stem(key) != key else _suffix(data))


def _suffix(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        return ".png"
    if data.startswith(b"RIFF"):
        return ".webp"
    return ".bmp" if data.startswith(b"BM") else ".jpg"


def _named(entries: Iterable[Entry], pool: Pool, numbers: list[int]) -> Iterator[Entry]:
    """Archive entries under the source's keys, of which some may have been left out."""
    rest = iter(numbers)
    for entry in entries:
        key = next((key for key in map(pool.key, rest) if _same(key, entry.key)), None)
        if key is None:
            raise DataError(f"{pool.where}: {entry.key} is in a shard and not in the source")
        yield entry._replace(key=key)


def _same(key: str, name: str) -> bool:
    return stem(member_name(key, b"")) == stem(name)


def _report(out: Path, index: Index, bad: Unreadable) -> ShardReport:
    shards = len(index.watched)
    return ShardReport(str(out), len(index), shards, index.digest, bad.count, tuple(bad.reasons))
