"""A device has no torch: its rooms import with the base dependencies alone, on Python 3.10 too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "timm", "pydantic", "safetensors", "scipy", "onnx", "tensorrt", "huggingface_hub")
IMPORT_ALL = """
import importlib, pkgutil, sys
import personvit.core, personvit.engines, personvit.benchmark, personvit.deploy_jetson
seen = 0
for room in ("core", "engines", "benchmark", "deploy_jetson"):
    package = sys.modules[f"personvit.{room}"]
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.startswith("personvit.core.models"):
            importlib.import_module(module.name)
            seen += 1
print(seen, sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def oldest_python() -> str | None:
    """Python 3.10, as JetPack 6 has it: on the PATH or among pyenv's versions."""
    candidates = [Path(folder) / "python3.10" for folder in os.environ["PATH"].split(os.pathsep)]
    candidates += sorted(Path("~/.pyenv/versions").expanduser().glob("3.10.*/bin/python3.10"))
    works = ([str(python), "-c", "import venv"] for python in candidates if python.is_file())
    return next(
        (cmd[0] for cmd in works if not subprocess.run(cmd, capture_output=True).returncode), None
    )


INTERPRETERS = [python for python in (sys.executable, oldest_python()) if python]


@pytest.fixture(scope="module", params=INTERPRETERS, ids=lambda path: Path(path).name)
def empty_environment(request, wheel: Path, tree: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run([request.param, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin/pip"), "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(tree / "constraints.txt"), str(wheel)], check=True)
    return folder / "bin"


def test_light_rooms_import_without_heavy_libraries(empty_environment: Path, tmp_path) -> None:
    command = [str(empty_environment / "python"), "-c", IMPORT_ALL, *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    count, heavy = done.stdout.split(maxsplit=1)
    assert int(count) > 10
    assert heavy.strip() == "[]"


@pytest.mark.parametrize(
    "room",
    ["personvit", "personvit-data", "personvit-engine", "personvit-benchmark", "personvit-deploy"],
)
def test_light_commands_show_their_help(empty_environment: Path, room: str, tmp_path) -> None:
    done = subprocess.run(
        [str(empty_environment / room), "--help"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_a_command_that_needs_torch_says_what_to_install(empty_environment: Path, tmp_path) -> None:
    command = [str(empty_environment / "personvit-train"), "finetune", "vit_micro_16"]
    command += ["--data", str(tmp_path), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
