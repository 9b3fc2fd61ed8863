"""The native runtime's unit tests, also under sanitizers and as aarch64 binaries; its fuzzers."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SEEDS = ROOT / "deploy_jetson/runtime/fuzz"
FUZZERS = ("bundle", "json", "signature", "gallery", "image")
SHORT_SECONDS, LONG_RUNS = 8, 1_000_000
LONGEST_INPUT = 8192
LONG_PRESETS = ("asan", "tsan", "aarch64-cross")
NEEDED = {
    "host": (("c++",), "g++"),
    "fuzz": (("clang++",), "clang"),
    "asan": (("c++",), "g++"),
    "tsan": (("c++",), "g++"),
    "aarch64-cross": (
        ("aarch64-linux-gnu-g++", "qemu-aarch64-static"),
        "g++-aarch64-linux-gnu qemu-user-static",
    ),
}
ARM64 = {
    "libssl-dev": "libcrypto.so",
    "zlib1g-dev": "libz.so",
    "libpng-dev": "libpng.so",
    "libjpeg62-turbo-dev": "libjpeg.so",
    "libstdc++6": "libstdc++.so.6",
}
"""Debian's arm64 packages that a cross build needs, by a file of each."""


def cannot_run(message: str) -> None:
    pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


def absent_arm64() -> str:
    folder = Path("/usr/lib/aarch64-linux-gnu")
    return " ".join(f"{name}:arm64" for name, file in ARM64.items() if not (folder / file).exists())


def built(preset: str) -> Path:
    tools, packages = NEEDED[preset]
    if absent := [tool for tool in ("cmake", "ninja", *tools) if shutil.which(tool) is None]:
        cannot_run(f"{', '.join(absent)} not found: apt install cmake ninja-build {packages}")
    if preset == "aarch64-cross" and (wanted := absent_arm64()):
        cannot_run(f"dpkg --add-architecture arm64 && apt update && apt install {wanted}")
    folder = ROOT / "build" / preset
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several workers, one builds
        run("cmake", "--preset", preset)
        run("cmake", "--build", "--preset", preset)
    return folder


def run(*command: object, folder: Path = ROOT) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-6000:]
    return said


@pytest.fixture(scope="module")
def fuzzers() -> Path:
    return built("fuzz") / "deploy_jetson/runtime/fuzz"


def fuzz(folder: Path, name: str, work: Path, *limits: str) -> None:
    """Finds go to the working folder; what is mended goes from there to the seeds, and stays."""
    corpus = work / "corpus"
    corpus.mkdir()
    flags = [f"-max_len={LONGEST_INPUT}", "-timeout=20", "-rss_limit_mb=2048", "-seed=1"]
    program = folder / f"{name}_fuzz"
    run(program, *flags, *limits, corpus, SEEDS / f"{name}_seeds", folder=work)


@pytest.mark.parametrize("name", FUZZERS)
def test_a_short_run_of_each_fuzzer_finds_nothing(name, fuzzers, tmp_path):
    fuzz(fuzzers, name, tmp_path, f"-max_total_time={SHORT_SECONDS}")


@pytest.mark.slow
@pytest.mark.parametrize("name", FUZZERS)
def test_a_million_runs_of_each_fuzzer_find_nothing(name, fuzzers, tmp_path):
    fuzz(fuzzers, name, tmp_path, f"-runs={LONG_RUNS}")


@pytest.mark.parametrize(
    "preset",
    ["host", *(pytest.param(name, marks=pytest.mark.slow) for name in LONG_PRESETS)],
)
def test_unit_tests_pass(preset):
    built(preset)
    run("ctest", "--preset", preset)
