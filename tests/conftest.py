"""What all tests share: where the tree is, and a watch on what gets imported."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from hypothesis import settings

TREE = Path(__file__).resolve().parents[1]
# Nothing is timed in a test: a busy machine must not fail one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOMS = ("core", "train", "engines", "benchmark", "export", "deploy_jetson")


@pytest.fixture(scope="session")
def tree() -> Path:
    return TREE


@pytest.fixture(scope="session")
def bundles(tree: Path) -> dict:
    """The names of bundles.py, which brings torch and is run only where it is asked for."""
    return runpy.run_path(str(tree / "tests/bundles.py"))


@pytest.fixture(scope="session")
def small_bundle(bundles):
    """A small random model, and the bundles that can be written of it."""
    return bundles["SmallBundle"]()


@pytest.fixture(autouse=True)
def no_room_is_ever_imported_bare():
    """`import core` would make a second copy of every class; only `personvit.core` exists."""
    yield
    bare = [room for room in (*ROOMS, "demo") if room in sys.modules]
    assert not bare, f"imported without the package name: {bare}"
