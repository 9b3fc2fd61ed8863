"""Contenders for one piece of work, each in its own process, run in turn so that drift is shared.

A machine's speed changes between hours and with what else runs on it; only the ratio of runs that
alternate says something. A process of its own gives each contender its own peak of memory.
"""

from __future__ import annotations

import json
import pkgutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import click

from ..core.errors import ConfigError, EnvironmentMismatch

Work = Literal["rank-distances", "rank-embeddings", "rerank"]
OURS = "ours"

Facts = Mapping[str, Any]
Prepare = Callable[[Path | None, Path], Callable[[], Facts]]
"""(the peer's checkout, the folder of inputs) -> the function that is timed."""


@dataclass(frozen=True)
class Contender:
    """One implementation. `ours` and each module named `peer_*` name theirs `CONTENDER`."""

    name: str
    title: str
    prepare: Mapping[Work, Prepare]


@dataclass(frozen=True)
class Measured:
    name: str
    title: str
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    """Of all its threads; on a busy machine it says more than the clock on the wall."""
    peak_bytes: int
    """Of the whole process, inputs and interpreter included."""
    facts: Facts

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "seconds": list(self.seconds),
            "median_seconds": self.median,
            "cpu_seconds": list(self.cpu_seconds),
            "peak_bytes": self.peak_bytes,
            "facts": dict(self.facts),
        }


@cache
def contenders() -> tuple[Contender, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    ours_and_peers = (name for name in names if name == OURS or name.startswith("peer_"))
    modules = (import_module(f"{__package__}.{name}") for name in ours_and_peers)
    found = (vars(module).get("CONTENDER") for module in modules)
    return tuple(each for each in found if isinstance(each, Contender))


def contender_named(name: str) -> Contender:
    for each in contenders():
        if each.name == name:
            return each
    known = ", ".join(each.name for each in contenders())
    raise ConfigError(f"no contender is called {name!r}; choose from {known}")


def parse_peers(words: Sequence[str], work: Work) -> dict[str, Path]:
    """NAME=PATH, where PATH is the peer's own checkout."""
    peers = {}
    for word in words:
        name, _, path = word.partition("=")
        if not path or not Path(path).is_dir():
            raise ConfigError(f"--peer {word!r}: give NAME=PATH with the folder of its checkout")
        if work not in contender_named(name).prepare:
            raise ConfigError(f"--peer {name}: it does not do this work ({work})")
        peers[name] = Path(path).resolve()
    return peers


def contest(
    work: Work, peers: Mapping[str, Path | None], case: Path, rounds: int
) -> tuple[Measured, ...]:
    """Run every contender once per round, in turn, after all have loaded their inputs."""
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(_Process(work, name, path, case))
            for name, path in peers.items()
        }
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in peers}
        bar = stack.enter_context(
            click.progressbar(length=rounds * len(peers), label=work, file=sys.stderr)
        )
        for _ in range(rounds):
            for name, process in running.items():
                answers[name].append(process.run())
                bar.update(1)
    return tuple(_measured(name, runs) for name, runs in answers.items())


def _measured(name: str, runs: Sequence[Mapping[str, Any]]) -> Measured:
    return Measured(
        name=name,
        title=contender_named(name).title,
        seconds=tuple(run["seconds"] for run in runs),
        cpu_seconds=tuple(run["cpu_seconds"] for run in runs),
        peak_bytes=runs[-1]["peak_bytes"],
        facts=runs[-1]["facts"],
    )


class _Process:
    """A child that holds its inputs and does the work each time it is told to."""

    def __init__(self, work: Work, name: str, path: Path | None, case: Path) -> None:
        self._name = name
        words = [work, name, str(path or ""), str(case)]
        self._child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "personvit.benchmark.contender", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> _Process:
        try:
            self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def run(self) -> dict[str, Any]:
        if self._child.stdin is not None:
            self._child.stdin.write("run\n")
            self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._child.stdout.readline() if self._child.stdout is not None else ""
        if not line:
            self._child.kill()
            last = self._child.communicate()[1].strip().splitlines()[-1:]
            raise EnvironmentMismatch(f"{self._name} could not do its work: {' '.join(last)}")
        answer: dict[str, Any] = json.loads(line)
        return answer
