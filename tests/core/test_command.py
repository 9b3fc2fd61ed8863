"""A dataclass is a command: types, ranges, exit codes and sentences."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from personvit.core.command import CommandGroup, argument, option
from personvit.core.errors import (
    DataError,
    EnvironmentMismatch,
    GateFailure,
    GateUndecided,
    InternalError,
)


@dataclass(frozen=True)
class Options:
    """Do a thing.

    Example: tool do here --count 3
    """

    root: Path = argument("where")
    count: int = option(1, "how many", low=1, high=9)
    rate: float = option(0.5, "how fast", low=0)
    kind: Literal["plain", "fancy"] = option("plain", "which")
    name: str | None = option(None, "a name")
    quiet: bool = option(False, "say less")
    tags: tuple[str, ...] = option((), "labels")


@dataclass(frozen=True)
class Echo:
    options: Options

    def as_json(self) -> dict[str, object]:
        return {key: str(value) for key, value in vars(self.options).items()}

    def as_text(self) -> str:
        return f"{self.options!r}"


def group_that(body) -> CommandGroup:
    group = CommandGroup("tool", "A tool.")
    group.command("do", Options)(body)
    return group


def test_options_arrive_with_their_types() -> None:
    seen: list[Options] = []

    def body(options: Options) -> Echo:
        seen.append(options)
        return Echo(options)

    words = [
        "do",
        "here",
        "--count",
        "3",
        "--kind",
        "fancy",
        "--tags",
        "a",
        "--tags",
        "b",
        "--quiet",
    ]
    assert group_that(body).run(words) == 0
    assert seen == [Options(Path("here"), 3, 0.5, "fancy", None, True, ("a", "b"))]


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert group_that(Echo).run(["do", "here", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["root"] == "here"


def test_help_keeps_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert group_that(Echo).run(["do", "--help"]) == 0
    assert "Example: tool do here --count 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["do"], "ROOT"),
        (["do", "here", "--count", "10"], "1<=x<=9"),
        (["do", "here", "--count", "many"], "many"),
        (["do", "here", "--rate", "nan"], "finite"),
        (["do", "here", "--rate", "inf"], "finite"),
        (["do", "here", "--kind", "odd"], "fancy"),
        (["do", "here", "--cuont", "2"], "--count"),
        (["dew"], "dew"),
    ],
)
def test_usage_errors_are_sentences_and_exit_1(words, says, capsys) -> None:
    assert group_that(Echo).run(words) == 1
    shown = capsys.readouterr().err
    assert says in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("problem", "code", "traceback"),
    [
        (DataError("no crops in /x; give a folder"), 1, False),
        (GateFailure("loses 0.4 mAP"), 2, False),
        (EnvironmentMismatch("no GPU here"), 3, False),
        (GateUndecided("needs 3000 queries"), 4, False),
        (OSError(errno.ENOSPC, "No space left on device", "/x/out"), 1, False),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 3, False),
        (MemoryError("Unable to allocate 5 PiB"), 3, False),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory."), 3, False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 3, False),
        (RuntimeError("shapes do not fit"), 70, True),
        (KeyboardInterrupt(), 130, False),
        (InternalError("impossible"), 70, True),
        (ZeroDivisionError("oops"), 70, True),
    ],
)
def test_every_kind_of_failure_has_its_exit_code(problem, code, traceback, capsys) -> None:
    def body(options: Options) -> Echo:
        raise problem

    assert group_that(body).run(["do", "here"]) == code
    assert ("Traceback" in capsys.readouterr().err) == traceback


TERMINATED = """
import dataclasses, os, signal, time
from personvit.core.command import CommandGroup

@dataclasses.dataclass(frozen=True)
class Options:
    '''Wait to be ended.

    Example: test wait
    '''

group = CommandGroup("test", "A group.")

@group.command("wait", Options)
def wait(options):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(9)
    finally:
        print("cleaned", flush=True)

before = signal.getsignal(signal.SIGTERM)
code = group.run(["wait"])
print(code, signal.getsignal(signal.SIGTERM) is before)
"""


def test_sigterm_ends_a_command_as_an_interrupt_does() -> None:
    """In a process of its own: a signal is for all of a process."""
    done = subprocess.run([sys.executable, "-c", TERMINATED], capture_output=True, text=True)
    assert done.stdout == "cleaned\n130 True\n", done.stderr
    assert "interrupted" in done.stderr


def test_a_refusal_of_the_system_says_how_to_mend_it(capsys) -> None:
    def body(options: Options) -> Echo:
        raise OSError(errno.ENOSPC, "No space left on device", "/x/out")

    group_that(body).run(["do", "here"])
    assert "/x/out: No space left on device; free some space" in capsys.readouterr().err


def test_a_deleted_working_folder_is_told_before_the_work(tmp_path, monkeypatch, capsys) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert group_that(Echo).run(["do", "here"]) == 1
    assert "current folder was deleted" in capsys.readouterr().err


def test_a_missing_package_names_the_extra_that_brings_it(capsys) -> None:
    def body(options: Options) -> Echo:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    group_that(body).run(["do", "here"])
    assert "pip install 'personvit[train]'" in capsys.readouterr().err


def test_the_default_command_needs_no_name() -> None:
    group = CommandGroup("tool", "A tool.")
    group.command("do", Options, default=True)(Echo)
    assert group.run(["here", "--count", "2"]) == 0
    assert group.run(["do", "here", "--count", "2"]) == 0
    assert group.run(["--help"]) == 0


def test_an_outcome_may_end_the_command_with_its_own_code(capsys) -> None:
    @dataclass(frozen=True)
    class Unfit(Echo):
        exit_code: int = 3

    assert group_that(Unfit).run(["do", "here"]) == 3
    assert "here" in capsys.readouterr().out
