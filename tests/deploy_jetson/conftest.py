"""A home to install into, two bundles to install, and the command as a user gives it."""

from __future__ import annotations

import json
import os
import shutil
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


@pytest.fixture(scope="session")
def made_homes(old, new, tmp_path_factory) -> tuple[Path, Path]:
    """A home that serves `old`, and one that serves `new` and can go back to `old`."""
    one, two = (tmp_path_factory.mktemp("homes") / name for name in ("one", "two"))
    assert main.run(["install", str(old), "--runtime", "openvino", "--home", str(one)]) == 0
    shutil.copytree(one, two, symlinks=True)
    assert main.run(["install", str(new), "--runtime", "openvino", "--home", str(two)]) == 0
    return one, two


@pytest.fixture
def serving_old(made_homes, home) -> Home:
    shutil.copytree(made_homes[0], home.path, symlinks=True)
    return home


@pytest.fixture
def serving_new(made_homes, home) -> Home:
    """Slot b serves; slot a holds `old`."""
    shutil.copytree(made_homes[1], home.path, symlinks=True)
    return home


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


@pytest.fixture(scope="session")
def jetson_bundle(small_bundle, tmp_path_factory) -> Path:
    """For TensorRT, whatever its version."""
    path = tmp_path_factory.mktemp("jetson") / "model.pvb"
    return small_bundle.write(path, "fp16", kind="trt-decomposed", also=("trt-attention",))


@pytest.fixture
def box(shared, tree, tmp_path, deploy_alone):
    """`personvit-deploy WORDS` on an Orin Nano with JetPack 6.2, and what was built there."""

    class Box:
        def variables(self, version: str = "10.3", fault: str = "") -> dict[str, str]:
            pretended = shared("engines/pretend.py").Pretended(
                tmp_path, tmp_path, version=version, fault=fault
            )
            root = str(tree / "tests/boxes/orin-nano-jp62")
            return {**pretended.variables(), "PERSONVIT_SYSTEM_ROOT": root}

        def deploy(self, *words, version: str = "10.3", fault: str = "") -> Answer:
            return deploy_alone(*words, **self.variables(version, fault))

        @property
        def builds(self) -> int:
            log = tmp_path / "builds"
            return len(log.read_text().splitlines()) if log.exists() else 0

    return Box()
