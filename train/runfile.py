"""What a run is, in its folder: the facts that a resumed one must share."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from ..core.errors import ConfigError
from ..core.files import write_atomically
from ..core.machine import this_machine
from .journal import BOARD, LOG, last_step

NAME = "run.json"
SCHEMA = 1
MUST_MATCH = ("start", "recipe", "seed", "amp", "data", "config", "preprocess", "processes")
SHOULD_MATCH = ("threads", "machine", "torch", "compile")

Facts = dict[str, Any]


def machine() -> dict[str, Any]:
    """Where it runs: the machine, the threads PyTorch uses and the GPU, if any."""
    described = {key: _plain(value) for key, value in this_machine().as_json().items()}
    facts = {**described, "threads": torch.get_num_threads()}
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def circumstances() -> Facts:
    """What decides the last digits of a run besides its settings."""
    return {
        "threads": torch.get_num_threads(),
        "machine": this_machine().cpu,
        "torch": torch.__version__,
    }


@contextmanager
def alone(folder: Path, new: bool, leads: bool) -> Iterator[None]:
    """No other process trains in this folder meanwhile; the lock ends with this one."""
    if not leads or not (new or folder.is_dir()):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno == errno.EWOULDBLOCK:
            raise ConfigError(
                f"another process is training in {folder}; wait for its end, or give another -o"
            ) from None
        # Some shared file systems lock no folder; then care is all there is.


def claim(
    folder: Path,
    facts: Facts,
    resume: bool,
    must_match: Sequence[str] = MUST_MATCH,
    should_match: Sequence[str] = SHOULD_MATCH,
) -> list[str]:
    """Take the folder for this run; returns what a resumed run does differently, in sentences."""
    path = folder / NAME
    if not resume:
        refuse_used(folder)
        write_atomically(path, json.dumps({"schema": SCHEMA, **facts}, indent=2) + "\n")
        return []
    if not path.is_file():
        raise ConfigError(f"nothing to resume in {folder}: it has no {NAME}; leave out --resume")
    before = _read(path)
    changed = [name for name in must_match if _plain(facts[name]) != before.get(name)]
    if changed:
        raise ConfigError(
            f"{folder} was started with "
            + "; ".join(
                _difference(name, before.get(name), _plain(facts[name])) for name in changed
            )
            + ". Resume with the same settings, or start anew with another -o"
        )
    return [
        f"resuming with another {name} than before ({before.get(name)}, now {facts[name]}): "
        "the result may differ in the last digits from an uninterrupted run"
        for name in should_match
        if _plain(facts[name]) != before.get(name)
    ]


def refuse_used(folder: Path) -> None:
    if folder.is_file():
        raise ConfigError(f"{folder} is a file; -o takes a folder for the run")
    # A run that was killed while it wrote its first file has left nothing but a temporary one.
    if folder.is_dir() and any(path.suffix != ".part" for path in folder.iterdir()):
        raise ConfigError(
            f"{folder} is not empty; give another -o, or --resume to go on with the run in it"
        )


@contextmanager
def given_back(folder: Path, mine: bool) -> Iterator[None]:
    """What fails before any step was written down leaves a claimed folder free.

    So the mended command runs with the same -o. `mine` is whether this process has just claimed it.
    """
    try:
        yield
    except Exception:
        if mine and not _has_begun(folder):
            _clear(folder)
        raise


def _has_begun(folder: Path) -> bool:
    return last_step(folder) > 0 or any((folder / "checkpoints").glob("step-*"))


def _clear(folder: Path) -> None:
    """Of what a run makes only; an empty folder may stay."""
    for name in (NAME, LOG):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / BOARD, ignore_errors=True)
    with suppress(OSError):
        (folder / "checkpoints").rmdir()


def _read(path: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ConfigError(f"{path} is damaged ({problem}); start anew with another -o") from None
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise ConfigError(f"{path} is of another version; start anew with another -o")
    return facts


def _plain(value: object) -> object:
    plain: object = json.loads(json.dumps(value))
    return plain


def _difference(name: str, before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        parts = [
            _difference(f"{name}.{key}", before.get(key), now.get(key))
            for key in sorted({*before, *now})
            if before.get(key) != now.get(key)
        ]
        return "; ".join(parts)
    if name == "data":
        return "another list of training images"
    return f"{name}={before!r} (now {now!r})"
