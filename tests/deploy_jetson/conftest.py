"""A home to install into, two bundles to install, and the command as a user gives it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from personvit.deploy_jetson.cli import main
from personvit.deploy_jetson.home import VARIABLE, Home

COMMAND = (sys.executable, "-c", "from personvit.deploy_jetson.cli import main; main()")


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def old(small_bundle, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    return small_bundle.write(folder / "model.pvb", "fp32", name="old")


@pytest.fixture(scope="session")
def new(small_bundle, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    return small_bundle.write(folder / "model.pvb", "fp32", name="new")


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(autouse=True)
def on_this_home(home, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(home.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def deploy(capfd):
    """`personvit-deploy WORDS` in this process."""

    def run(*words) -> Answer:
        capfd.readouterr()
        code = main.run([str(word) for word in words])
        return Answer(code, *capfd.readouterr())

    return run


@pytest.fixture
def deploy_alone():
    """`personvit-deploy WORDS` in a process of its own, with more in its environment."""

    def run(*words, limit=None, **environment) -> Answer:
        done = subprocess.run(
            [*COMMAND, *map(str, words)],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            preexec_fn=limit,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def install(deploy):
    """Install with the runtime that every machine has."""
    return lambda bundle, *words: deploy("install", bundle, "--runtime", "openvino", *words)
