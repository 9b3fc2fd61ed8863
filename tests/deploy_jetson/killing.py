"""Kills a command at a random moment, and says what must hold afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from personvit.deploy_jetson.home import Home
from personvit.deploy_jetson.serving import open_serving

COMMAND = (sys.executable, "-c", "from personvit.deploy_jetson.cli import main; main()")
SEED, LOG = "PERSONVIT_KILL_SEED", "PERSONVIT_KILL_LOG"
PATIENCE_S = 120
CLOSE_S = 0.02
FIRST_STEP = {"install": "install", "rollback": "check"}
OWN = {"current", "lock", "journal.jsonl", "slots", "cache", "inbox", "trust"}
IN_SLOT = {"bundle.pvb", "bundle.pvb.sig", "engine", "slot.json", "attest.json"}

Look = Callable[[Home, dict[str, str]], str]
"""What serves, by its name; an error where that is not whole, or not among the names."""


@dataclass(frozen=True)
class Kill:
    """One line of the log."""

    path: str
    seed: int
    nth: int
    lines: int
    """The journal's lines after which the time began to count."""
    delay_s: float
    longest_s: float
    killed: bool
    """False where the command had come to its end before."""
    step: str
    """The last that the journal names."""
    serves: str
    """`old`, `new` or `nothing`."""


class Killer:
    """Draws moments from the time that the same command took undisturbed, and a little more.

    That seldom meets the short steps at the end, so every second kill comes within a few
    milliseconds of a line of the journal, whichever.
    """

    def __init__(self, path: str, home: Home, longest_s: float, look: Look | None = None) -> None:
        self.path, self.home = path, home
        self.look = look or require_whole
        self.longest_s = longest_s * 1.1
        self.lines = _lines_of_last(home)
        self.seed = int(os.environ.get(SEED) or secrets.randbelow(2**32))
        self.rng = np.random.default_rng([self.seed, *path.encode()])
        self.kills: list[Kill] = []
        click.echo(f"{path}: {SEED}={self.seed}, kills within {self.longest_s:.2f} s")

    def kill(self, words: tuple[str, ...], names: dict[str, str]) -> Kill:
        """`names` are the digests that may serve afterwards, and what to call them in the log."""
        lines, longest = 1, self.longest_s
        if len(self.kills) % 2:
            lines, longest = int(self.rng.integers(1, self.lines + 1)), CLOSE_S
        delay = float(self.rng.uniform(0, longest))
        killed = run(self.home, words, delay, lines) is None
        serves = self.look(self.home, names)
        entries = self.home.journal.entries(1)
        step = "{step} {state}".format(**entries[0]) if entries else ""
        kill = Kill(
            self.path,
            self.seed,
            len(self.kills),
            lines,
            round(delay, 3),
            round(longest, 3),
            killed,
            step,
            serves,
        )
        self.kills.append(kill)
        log(kill)
        return kill


def run(
    home: Home, words: tuple[str, ...], delay: float | None = None, lines: int = 1
) -> float | None:
    """Run a command to its end and say how long it worked, or kill it after `delay` of work.

    Work begins with the next line of the journal, or the one after so many: what comes before is
    the start of Python. All its processes die with it, as when the power fails.
    """
    wanted = _lines(home.journal.path) + lines
    with subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        _wait_for_work(process, home.journal.path, wanted)
        began = time.monotonic()
        try:
            _, told = process.communicate(timeout=PATIENCE_S if delay is None else delay)
        except subprocess.TimeoutExpired:
            assert delay is not None, f"{words} did not end"
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None
        assert process.returncode == 0, told.decode()
        return time.monotonic() - began


def require_whole(home: Home, names: dict[str, str]) -> str:
    """`current` leads to a complete slot whose engine answers as it must, or to none yet."""
    home.journal.entries()
    if home.serving() is None:
        assert "nothing" in names.values(), "what served before serves no more"
        return "nothing"
    with open_serving(home) as serving:
        assert serving.facts.bundle in names, "something else serves"
        return names[serving.facts.bundle]


def require_tidy(home: Home) -> None:
    """Nothing temporary piles up."""
    assert {path.name for path in home.path.iterdir()} <= OWN
    for slot in home.slots.iterdir():
        assert {path.name for path in slot.iterdir()} <= IN_SLOT
    for slot in (home.serving(), home.spare()):
        record = slot.record() if slot else None
        if slot and record:
            assert slot.contents() == record.files


def require_none_left(home: Home) -> None:
    """Every process that was started for this home has ended, or soon does."""
    end = time.monotonic() + PATIENCE_S
    while left := _processes(home):
        assert time.monotonic() < end, f"still running: {left}"
        time.sleep(0.05)


def _processes(home: Home) -> list[str]:
    told = f"PERSONVIT_HOME={home.path}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it ended, or is not ours
            if told in path.read_bytes():
                found.append(path.parent.name)
    return found


def log(kill: Kill) -> None:
    folder = os.environ.get(LOG)
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with Path(folder, f"kills-{kill.path}.jsonl").open("a") as file:
            file.write(json.dumps(asdict(kill)) + "\n")


def _wait_for_work(process: subprocess.Popen, journal: Path, wanted: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while process.poll() is None and _lines(journal) < wanted and time.monotonic() < end:
        time.sleep(0.001)


def _lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _lines_of_last(home: Home) -> int:
    """How many lines the last command wrote; each begins with one of its first step."""
    entries = home.journal.entries()
    first = (entries[-1]["action"], FIRST_STEP[entries[-1]["action"]], "begin")
    starts = [
        number
        for number, entry in enumerate(entries)
        if (entry["action"], entry["step"], entry["state"]) == first
    ]
    return len(entries) - starts[-1]
