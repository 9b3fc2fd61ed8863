"""What the real bindings of one version hold (tests/engines/trt_api), and classes as strict."""

from __future__ import annotations

import enum
import json
import os
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[2] / "engines" / "trt_api"


def facts() -> dict[str, Any]:
    """Of FAKE_TENSORRT_VERSION, such as 10.3 or 11.1: the first recorded one that begins so."""
    wanted = os.environ.get("FAKE_TENSORRT_VERSION", "10.3")
    for path in sorted(FACTS.glob("*.json")):
        if path.stem == wanted or path.stem.startswith(wanted + "."):
            return json.loads(path.read_text())
    raise ImportError(f"TensorRT {wanted} was not recorded; see {FACTS}/record.py")


RECORDED = facts()
VERSION: str = RECORDED["version"]
NUMBERS = tuple(int(part) for part in VERSION.split(".")[:2])


class Value(enum.Enum):
    """As pybind11 makes them: not an int, but made one when asked."""

    def __int__(self) -> int:
        return self.value

    __index__ = __int__


def enumeration(name: str) -> type[Value]:
    return Value(name.rpartition(".")[2], RECORDED["enums"][name])


class Strict:
    """Only what the real class of this version has can be read or set."""

    def __getattribute__(self, name: str) -> Any:
        _require(type(self), name)
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(f"{type(self).__name__}.{name} is not pretended")

    def __setattr__(self, name: str, value: Any) -> None:
        _require(type(self), name)
        super().__setattr__(name, value)


def _require(kind: type, name: str) -> None:
    real = RECORDED["classes"][kind.__name__]
    if not name.startswith("_") and name not in real:
        raise AttributeError(f"TensorRT {VERSION}: {kind.__name__!r} has no attribute {name!r}")
