"""What a run tells while it goes on: a bar or lines, JSON, and TensorBoard where it is there."""

from __future__ import annotations

import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from ..core.files import write_atomically

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


LOG, BOARD = "log.jsonl", "tensorboard"
TELL_EVERY = 60.0
"""Seconds between two lines where no terminal shows a bar."""


def say(sentence: str) -> None:
    """A line for the person at the terminal; results go to stdout, this does not."""
    click.echo(sentence, err=True)


class Lines:
    """Where stderr is a file: how far it is, at first and then every minute."""

    def __init__(self, total: int, start: int) -> None:
        self._total, self._start, self._step = total, start, start
        self._began = self._next = time.monotonic()

    def tell(self, step: int, loss: float) -> None:
        now = time.monotonic()
        if step == self._step or (now < self._next and step < self._total):
            return
        self._step, self._next = step, now + TELL_EVERY
        left = (now - self._began) / max(step - self._start, 1) * (self._total - step)
        say(f"step {step} of {self._total}: loss {loss:.4g}, about {_duration(left)} left")


class Journal:
    """Open for one run. A process that does not lead keeps a silent one."""

    def __init__(self, folder: Path, total_steps: int, start: int, quiet: bool) -> None:
        self.quiet = quiet
        if quiet:
            return
        path = folder / LOG
        _cut_after(path, start)
        self._file = path.open("a", encoding="utf-8")
        self._board = _board(folder / BOARD)
        if self._board is not None:
            for line in _lines(path):
                self._show(**line)
        self._bar = click.progressbar(
            length=total_steps, label="training", show_pos=True, file=sys.stderr
        )
        self._bar.update(start)
        self._lines = None if sys.stderr.isatty() else Lines(total_steps, start)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.quiet:
            return
        self._bar.render_finish()
        self._file.close()
        if self._board is not None:
            self._board.close()

    def advance(self) -> None:
        if not self.quiet:
            self._bar.update(1)

    def write(self, step: int, **facts: float) -> None:
        if self.quiet:
            return
        line = {"step": step, "time": round(time.time(), 2), **facts}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self._show(**line)
        if self._lines is not None and "loss" in facts:
            self._lines.tell(step, facts["loss"])

    def _show(self, step: float, time: float | None = None, **facts: float) -> None:
        if self._board is None:
            return
        for name, value in facts.items():
            if isinstance(value, float):
                self._board.add_scalar(f"train/{name}", value, int(step), walltime=time)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def last_step(folder: Path) -> int:
    """The last step that a run's log has a line of."""
    return max((int(line["step"]) for line in _lines(folder / LOG)), default=0)


def _cut_after(path: Path, step: int) -> None:
    """Drop what a lost stretch of the run wrote, so that every step is logged once."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    write_atomically(path, "".join(line + "\n" for line in lines if _until(line, step)))


def _until(line: str, step: int) -> bool:
    try:
        return int(json.loads(line)["step"]) <= step
    except (ValueError, KeyError, TypeError):
        return False


def _lines(path: Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _board(folder: Path) -> SummaryWriter | None:
    """A new file, which is given all that the log still has: one file, however many starts."""
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    for left in folder.glob("events.out.tfevents.*"):
        left.unlink()
    return SummaryWriter(str(folder))
