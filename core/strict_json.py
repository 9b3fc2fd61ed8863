"""Frozen dataclasses as JSON and back, strictly: every complaint names its place."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from .errors import ConfigError, UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = TypeVar("Value")

MAX_BYTES = 4 << 20


class DocumentError(UserError):
    """Not the document that was expected. `where` is the place inside it."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where or 'the document'}: {what}")


def dump(value: DataclassInstance) -> bytes:
    """One value, one spelling: the same bytes on every platform and version of Python."""
    plain = dataclasses.asdict(value)
    return (json.dumps(plain, sort_keys=True, indent=1, allow_nan=False) + "\n").encode("ascii")


def parse(data: bytes) -> object:
    """Plain JSON: no repeated keys, no NaN, nothing behind the end, at most 4 MiB."""
    if len(data) > MAX_BYTES:
        raise DocumentError("", f"{len(data)} bytes are more than the {MAX_BYTES} that are read")
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_float=_finite,
            parse_constant=_not_finite,
        )
    except DocumentError:
        raise
    except (ValueError, RecursionError) as problem:
        raise DocumentError("", f"this is not JSON ({problem})") from problem


def build(kind: type[Value], value: object, where: str = "") -> Value:
    """An object of a dataclass (or any annotation its fields may have) from parsed JSON."""
    return cast(Value, _build(kind, value, where))


def _build(kind: object, value: object, where: str) -> object:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _any_of(get_args(kind), value, where)
    if origin is Literal:
        return _one_of(get_args(kind), value, where)
    if origin is tuple:
        return _sequence(get_args(kind)[0], value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _table(get_args(kind)[1], value, where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _object(kind, value, where)
    return _scalar(kind, value, where)


def _object(kind: type[DataclassInstance], value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise DocumentError(where, f"expected an object, found {_shown(value)}")
    if hasattr(kind, "from_dict"):
        try:
            return kind.from_dict(value)
        except ConfigError as problem:
            raise DocumentError(where, str(problem)) from problem
    hints = _hints(kind)
    if unknown := sorted(set(value) - set(hints)):
        raise DocumentError(where, f"unknown {_list(unknown)}; known are {_list(sorted(hints))}")
    if missing := [name for name in hints if name not in value]:
        raise DocumentError(where, f"lacks {_list(missing)}")
    prefix = f"{where}." if where else ""
    return kind(**{name: _build(hints[name], value[name], prefix + name) for name in hints})


def _sequence(kind: object, value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise DocumentError(where, f"expected a list, found {_shown(value)}")
    return tuple(_build(kind, item, f"{where}[{index}]") for index, item in enumerate(value))


def _table(kind: object, value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise DocumentError(where, f"expected an object, found {_shown(value)}")
    return {key: _build(kind, item, f"{where}.{key}") for key, item in value.items()}


def _any_of(kinds: tuple[object, ...], value: object, where: str) -> object:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    for kind in kinds[:-1]:
        if type(value) is kind:
            return value
    return _build(kinds[-1], value, where)


def _one_of(choices: tuple[object, ...], value: object, where: str) -> object:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    raise DocumentError(where, f"must be one of {_list(choices)}, not {_shown(value)}")


def _scalar(kind: object, value: object, where: str) -> object:
    if kind is Any:
        return value
    if kind is float and isinstance(value, (int, float)) and type(value) is not bool:
        return float(value)
    if type(value) is not kind:
        raise DocumentError(where, f"expected {_NAMES[kind]}, found {_shown(value)}")
    return value


_NAMES: Mapping[object, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise DocumentError("", f"a name is there twice among {_list(sorted(table))}")
    return table


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_finite(text)


def _not_finite(text: str) -> NoReturn:
    raise DocumentError("", f"{text[:20]} is not a number a document may hold")


def _list(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names)


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
