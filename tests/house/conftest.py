"""The wheel a user would install."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the build leaves nothing behind in the tree."""
    copy = tmp_path_factory.mktemp("source") / "personvit"
    ignored = shutil.ignore_patterns(".*", "tests", "*.egg-info", "build", "dist", "__pycache__")
    shutil.copytree(tree, copy, ignore=ignored)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(out), str(copy)], check=True)
    return next(out.glob("*.whl"))
