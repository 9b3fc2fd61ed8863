"""Recipes by name or file, with `key=value` changes, and complaints a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import tomllib
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..core.errors import ConfigError
from . import recipes
from .recipe import Recipe

BASE_KEY = "base"
Table = dict[str, Any]
_NOT_TOML = (ValueError, RecursionError)
"""What tomllib raises: of its own, for numbers of thousands of digits, and for deep nesting."""


R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Shelf(Generic[R]):
    """Recipes of one kind: their class, and the package whose TOML files travel with ours."""

    kind: type[R]
    package: ModuleType

    def names(self) -> tuple[str, ...]:
        files = resources.files(self.package).iterdir()
        return tuple(sorted(file.name[:-5] for file in files if file.name.endswith(".toml")))

    def load(self, name_or_file: str, changes: Sequence[str] = ()) -> R:
        """A named recipe or a TOML file, with `section.key=value` changes on top."""
        table = self._table(name_or_file, seen=())
        for change in changes:
            _apply(table, change)
        return self.validated(table, name_or_file)

    def validated(self, table: Mapping[str, Any], where: str) -> R:
        """Turn plain values into a recipe, or say in one line each what is wrong with them."""
        try:
            return self.kind.model_validate(dict(table))
        except ValidationError as problem:
            lines = [_sentence(error, self.kind) for error in problem.errors()]
            raise ConfigError(f"recipe {where}: " + "; ".join(lines)) from None

    def _table(self, name_or_file: str, seen: tuple[str, ...]) -> Table:
        if name_or_file in seen:
            raise ConfigError(f"recipe {name_or_file} is based on itself: {' -> '.join(seen)}")
        table = _parse(self._read(name_or_file), name_or_file)
        base = table.pop(BASE_KEY, None)
        if base is None:
            return table
        if not isinstance(base, str):
            raise ConfigError(f"recipe {name_or_file}: {BASE_KEY} is the name of another recipe")
        below = self._table(_relative(base, name_or_file), (*seen, name_or_file))
        return _merged(below, table)

    def _read(self, name_or_file: str) -> str:
        if name_or_file.endswith(".toml") or "/" in name_or_file:
            return _read_file(Path(name_or_file))
        if name_or_file not in self.names():
            known = ", ".join(self.names())
            hint = _closest(name_or_file, self.names())
            raise ConfigError(
                f"no recipe is named {name_or_file!r}{hint}; "
                f"there are {known}, or give a .toml file"
            )
        return (resources.files(self.package) / f"{name_or_file}.toml").read_text(encoding="utf-8")


FINETUNING = Shelf(Recipe, recipes)
recipe_names = FINETUNING.names
load_recipe = FINETUNING.load


def _relative(base: str, child: str) -> str:
    beside = Path(child).parent / base
    return str(beside) if base.endswith(".toml") and not Path(base).is_absolute() else base


def _read_file(path: Path) -> str:
    if not path.is_file():
        raise ConfigError(f"there is no recipe file {path}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"recipe {path} is not a text file") from None


def _parse(text: str, where: str) -> Table:
    try:
        return tomllib.loads(text)
    except _NOT_TOML as problem:
        raise ConfigError(f"recipe {where} is not valid TOML: {problem}") from None


def _merged(below: Table, above: Table) -> Table:
    both = {key: below[key] for key in below}
    for key, value in above.items():
        inner = both.get(key)
        nested = isinstance(inner, dict) and isinstance(value, dict)
        both[key] = _merged(inner, value) if nested and isinstance(inner, dict) else value
    return both


def _apply(table: Table, change: str) -> None:
    key, equals, text = change.partition("=")
    *sections, last = [part.strip() for part in key.split(".")]
    if not equals or not last:
        raise ConfigError(f"--set takes section.key=value, not {change!r}")
    place = table
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {change}: {section} is a value, not a section")
    value = _value(text.strip())
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value


def _value(text: str) -> object:
    """Numbers, lists, true/false and quoted text as in TOML; anything else is plain text."""
    if text.lower() == "none":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except _NOT_TOML:
        return text


def _sentence(error: ErrorDetails, kind: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {place}{_closest(place, _known_keys(kind))}"
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = "" if isinstance(error["input"], dict | BaseModel) else f", not {error['input']!r}"
    return f"{place}: {message}{given}" if place else message


def _known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        keys.append(prefix + name)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += _known_keys(kind, f"{prefix}{name}.")
    return keys


def _closest(word: str, known: Sequence[str]) -> str:
    """A question that names the likeliest word; the last part alone counts too."""
    found = difflib.get_close_matches(word, known, n=1)
    if not found:
        last = word.rsplit(".", 1)[-1]
        by_last = {name.rsplit(".", 1)[-1]: name for name in known}
        found = [by_last[name] for name in difflib.get_close_matches(last, by_last, n=1)]
    return f" (did you mean {found[0]}?)" if found else ""
