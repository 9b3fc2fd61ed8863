"""Programs of the native runtime, built from this tree once per session."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build/host"
PACKAGES = (
    "g++ cmake ninja-build doctest-dev nlohmann-json3-dev libssl-dev zlib1g-dev libjpeg-dev "
    "libpng-dev"
)


@pytest.fixture(scope="session")
def native_program() -> Callable[..., Path]:
    """Builds a program by its name, for the preset `host`, and tells where it is; a library's file
    has another name than what is built."""
    absent = [tool for tool in ("cmake", "ninja", "c++") if shutil.which(tool) is None]
    if absent:
        give_up(f"{', '.join(absent)} not found")
    BUILD.mkdir(parents=True, exist_ok=True)

    def built(name: str, file: str | None = None) -> Path:
        with (BUILD / "tests.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            run("cmake", "--preset", "host")
            done = run("cmake", "--build", "--preset", "host", "--target", name, fails=True)
            assert done.returncode == 0, done.stdout[-4000:]
        (program,) = (path for path in BUILD.rglob(file or name) if os.access(path, os.X_OK))
        return program

    return built


def run(*command: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode and not fails:
        give_up(f"{' '.join(command)} failed: {done.stdout[-2000:]}")
    return done


def give_up(reason: str) -> NoReturn:
    """A fresh machine need not have a compiler; the project's own machines must."""
    message = f"the native runtime is not built here: {reason}; apt install {PACKAGES}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
