"""Tells each step of long work to the person who waits and to the device's journal."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..core.errors import EnvironmentMismatch
from .journal import Journal

Progress = Callable[[str], None]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LEAST_FREE = 256 << 10
"""Below this a failure of any kind is put down to the full disk."""


def say(sentence: str) -> None:
    """A line for the person at the terminal; results go to stdout, this does not."""
    click.echo(sentence, err=True)


class _DiskFull(EnvironmentMismatch):
    pass


@dataclass(frozen=True)
class Steps:
    action: str
    progress: Progress
    journal: Journal | None = None
    """None where nothing may be written, as in a dry run."""

    @contextmanager
    def step(self, name: str, sentence: str) -> Iterator[dict[str, Any]]:
        """Facts put into the yielded table are journaled when the step is done."""
        self.progress(sentence)
        facts: dict[str, Any] = {}
        self._write(name, "begin")
        try:
            yield facts
        except BaseException as problem:
            why = str(problem) or type(problem).__name__
            with contextlib.suppress(OSError):  # the problem itself is what must be told
                self._write(name, "failed", problem=why)
            raise
        self._write(name, "done", **facts)

    def _write(self, name: str, state: str, /, **facts: Any) -> None:
        if self.journal is not None:
            self.journal.write(self.action, name, state, **facts)


@contextmanager
def telling_a_full_disk(place: Path) -> Iterator[None]:
    """Runtimes tell of a full disk in their own words, or as a candidate that is not fit."""
    try:
        yield
    except _DiskFull:
        raise
    except Exception as problem:
        told = isinstance(problem, OSError) and problem.errno in FULL
        if not told and shutil.disk_usage(place).free >= LEAST_FREE:
            raise
        raise _DiskFull(
            f"there was not enough room in {place} ({problem}); free some space and try again; "
            "'personvit-deploy status' says what serves"
        ) from problem
