"""Versions of the runtimes that Python can import here, and why one that is installed cannot."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec


def module_version(name: str) -> str | None:
    """Of an importable module; a package whose libraries are missing does not count."""
    return _look(name)[0]


def import_problem(name: str) -> str:
    """Why a module that is installed cannot be imported; empty where it can or is not there."""
    return _look(name)[1]


def _look(name: str) -> tuple[str | None, str]:
    try:
        if find_spec(name) is None:
            return None, ""
        version = getattr(import_module(name), "__version__", None)
    except Exception as problem:  # a vendor's module may raise anything while it loads
        return None, f"{type(problem).__name__}: {problem}"
    return (str(version) if version else None), ""
