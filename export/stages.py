"""Shows which step of a long command is running, and remembers how long each took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import click

T = TypeVar("T")


class Stages:
    """Numbered steps on stderr, each with its time when it ends."""

    def __init__(self, total: int) -> None:
        self._total = total
        self.seconds: list[tuple[str, float]] = []

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        number = len(self.seconds) + 1
        click.echo(f"[{number}/{self._total}] {title}", err=True)
        began = time.monotonic()
        yield
        self.seconds.append((title, time.monotonic() - began))
        click.echo(f"[{number}/{self._total}] {title}: {self.seconds[-1][1]:.1f} s", err=True)

    def progress(self, label: str, items: Iterable[T]) -> Iterator[T]:
        """Items with a bar that estimates the end."""
        known: Sequence[T] = list(items)
        with click.progressbar(known, label=label, file=sys.stderr, show_eta=True) as bar:
            yield from bar
