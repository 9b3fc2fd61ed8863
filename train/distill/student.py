"""What a student is, and the registry of all there are: one file each in `students/`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ...core.errors import ConfigError, InternalError
from ..start import Origin, origin
from .recipe import DistillRecipe
from .teacher import Teacher


@dataclass(frozen=True)
class Ask:
    """What a student is made from; `initial` are weights of its own, where the user has some."""

    teacher: Teacher
    recipe: DistillRecipe
    initial: str | None = None


@dataclass(frozen=True)
class Student:
    """A model worth deploying. `origin` gives its first weights, or where to draw them."""

    name: str
    title: str
    origin: Callable[[Ask], Origin]


def students() -> dict[str, Student]:
    """By name: the `STUDENT` of each module of the package beside this one."""
    from . import students as package

    found = {}
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        student = getattr(loaded, "STUDENT", None)
        if not isinstance(student, Student):
            raise InternalError(f"{loaded.__name__} defines no STUDENT")
        found[student.name] = student
    return found


def drawn(architecture: str) -> Callable[[Ask], Origin]:
    """A student of a known architecture: random, unless there are weights of just that shape."""

    def begin(ask: Ask) -> Origin:
        plan = origin(architecture, ask.recipe)
        if ask.initial is None:
            return plan
        found = origin(ask.initial, ask.recipe)
        wanted, given = plan.config, found.config
        if wanted.title != given.title:
            raise ConfigError(
                f"{ask.initial} is {given.title}, and {architecture} is {wanted.title}; choose "
                "another --initial or student"
            )
        return found

    return begin


def student_origin(name: str, ask: Ask) -> Origin:
    """A student by its name, or the user's own weights, which then are their own student."""
    known = students()
    if name in known:
        return known[name].origin(ask)
    if not (Path(name).is_file() or ":" in name):
        close = get_close_matches(name, known, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ConfigError(
            f"no student is named {name!r}{hint}; there are {', '.join(known)}, "
            "or give a weights file"
        )
    if ask.initial is not None:
        raise ConfigError(f"{name} brings its own weights; leave out --initial")
    return origin(name, ask.recipe)
