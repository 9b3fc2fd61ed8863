"""What all tests share: where the tree is, and a watch on what gets imported."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

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
def shared(tree: Path):
    """A module of tests/ that several tests use, by its path; run only where it is asked for."""

    def load(path: str) -> ModuleType:
        name = "personvit_tests_" + path.removesuffix(".py").replace("/", "_")
        if name not in sys.modules:
            spec = spec_from_file_location(name, tree / "tests" / path)
            sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    return load


@pytest.fixture(scope="session")
def small_bundle(shared):
    """A small random model, and the bundles that can be written of it."""
    return shared("bundles.py").SmallBundle()


@pytest.fixture(autouse=True)
def no_room_is_ever_imported_bare():
    """`import core` would make a second copy of every class; only `personvit.core` exists."""
    yield
    bare = [room for room in (*ROOMS, "demo") if room in sys.modules]
    assert not bare, f"imported without the package name: {bare}"
