"""The layers of a TensorRT engine from its inspector's words, in the forms of 10.x and 11.x.

10.x writes `Format/Datatype` and a flat list of `Bindings`; 11.x splits the first and replaces the
second by `I/O Tensors`. trtexec --exportLayerInfo writes either; a log holds one line per layer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import DataError

Verbosity = Literal["detailed", "names"]

_MEND = (
    "build the engine with detailed profiling verbosity, and give the JSON of the engine inspector "
    "or of trtexec --exportLayerInfo"
)
_LISTS = ("Layers", "layers", "LayerInfo", "layerInfo")
_OTHER_PROFILE = re.compile(r"\[profile +[1-9]\d*\]")
_NODE = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_SEPARATORS = re.compile("[\x1e\x1f]")
_SYNCHRONISING = ("signal", "wait")

# The order matters: BFloat16 holds "float16", UInt8 holds "Int8".
_TYPES = (
    ("bf16", ("bfloat16", "bf16")),
    ("uint8", ("uint8",)),
    ("fp8", ("fp8", "e4m3", "e5m2")),
    ("fp4", ("fp4",)),
    ("int8", ("int8",)),
    ("fp16", ("fp16", "half", "float16")),
    ("fp32", ("fp32", "float")),
)


@dataclass(frozen=True)
class Tensor:
    """`shape` may hold -1 for what is only known when the engine runs."""

    name: str
    shape: tuple[int, ...]
    type: str
    """int8, fp8, fp16, bf16, fp32 and a few that do no matrix work; empty when not told."""


@dataclass(frozen=True)
class Layer:
    name: str
    kind: str
    tactic: str = ""
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    nodes: tuple[str, ...] = ()
    """The ONNX nodes that it was made of, where TensorRT tells."""
    origin: str = ""
    weights: int = 0
    """How many weights a convolution has, where TensorRT tells."""


@dataclass(frozen=True)
class Layers:
    """The layers of the first optimisation profile, in the order they run."""

    layers: tuple[Layer, ...]
    form: Literal["10.x", "11.x", "unknown"]
    verbosity: Verbosity


def parse_layers(text: str) -> Layers:
    """Whatever the inspector of a known version writes; anything else is an error that says so."""
    stripped = text.strip()
    if not stripped:
        raise DataError(f"the layer report is empty; {_MEND}")
    if stripped[0] not in "[{":
        return _from_lines(stripped)
    try:
        read = json.loads(stripped, strict=False)
    except ValueError as problem:
        raise DataError(f"the layer report is not JSON ({problem}); {_MEND}") from None
    given = list(_listed(read))
    if not given:
        raise DataError(f"the layer report holds no layers; {_MEND}")
    found = [_layer(each, place) for place, each in enumerate(given)]
    return Layers(_first_profile(found), _form(read, given), _verbosity(found))


def _listed(read: Any) -> list[Any]:
    if isinstance(read, Mapping):
        read = next((read[name] for name in _LISTS if name in read), None)
    if not isinstance(read, list):
        raise DataError(f"the layer report has no list of layers; {_MEND}")
    return read


def _layer(given: Any, place: int) -> Layer:
    if isinstance(given, str):
        return _from_line(given) if given.startswith("Name: ") else Layer(_clean(given), "")
    if not isinstance(given, Mapping) or not isinstance(given.get("Name"), str):
        raise DataError(f"layer {place} of the report has no name; {_MEND}")
    return Layer(
        name=_clean(given["Name"]),
        # Detailed layers of 8.x and 10.x say MatrixMultiply here and a kernel's family there.
        kind=str(given.get("ParameterType") or given.get("LayerType") or ""),
        tactic=str(given.get("TacticName") or ""),
        inputs=tuple(_tensors(given, ("Inputs", "Constants"), place)),
        outputs=tuple(_tensors(given, ("Outputs",), place)),
        nodes=_nodes(str(given.get("Metadata") or "")),
        origin=str(given.get("Origin") or ""),
        weights=_count(given.get("Weights")),
    )


def _count(weights: Any) -> int:
    count = weights.get("Count") if isinstance(weights, Mapping) else None
    return count if isinstance(count, int) else 0


def _tensors(given: Mapping[str, Any], keys: tuple[str, ...], place: int) -> Iterator[Tensor]:
    for key in keys:
        listed = given.get(key) or []
        if not isinstance(listed, list):
            raise DataError(f"{key} of layer {place} of the report is no list; {_MEND}")
        for each in listed:
            if not isinstance(each, Mapping):
                raise DataError(f"{key} of layer {place} of the report holds no tensor; {_MEND}")
            yield _tensor(each, place)


def _tensor(given: Mapping[str, Any], place: int) -> Tensor:
    by_name = {str(key).lower(): value for key, value in given.items()}
    shape = by_name.get("dimensions") or []
    if not isinstance(shape, list) or not all(isinstance(size, int) for size in shape):
        raise DataError(f"layer {place} of the report has a tensor of shape {shape!r}; {_MEND}")
    told = by_name.get("format/datatype") or by_name.get("datatype") or by_name.get("format") or ""
    return Tensor(_clean(str(by_name.get("name") or "")), tuple(shape), type_named(str(told)))


def type_named(told: str) -> str:
    """`Half`, `Row major linear FP16 format` and the like, by one short name."""
    lowered = told.lower()
    for name, words in _TYPES:
        if any(word in lowered for word in words):
            return name
    return lowered


def _clean(name: str) -> str:
    return _SEPARATORS.sub("+", name)


def _nodes(metadata: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_NODE.findall(_SEPARATORS.sub("", metadata))))


def _first_profile(layers: list[Layer]) -> tuple[Layer, ...]:
    """An engine lists each layer once per profile, those of later ones with a suffix."""
    return tuple(
        layer
        for layer in layers
        if not _OTHER_PROFILE.search(layer.name) and layer.kind not in _SYNCHRONISING
    )


def _form(read: Any, given: list[Any]) -> Literal["10.x", "11.x", "unknown"]:
    keys = set(read) if isinstance(read, Mapping) else set()
    tensors = [
        tensor
        for each in given
        if isinstance(each, Mapping)
        for tensor in (each.get("Inputs") or [])
        if isinstance(tensor, Mapping)
    ]
    if "I/O Tensors" in keys or any("Format" in tensor for tensor in tensors):
        return "11.x"
    if "Bindings" in keys or any("Format/Datatype" in tensor for tensor in tensors):
        return "10.x"
    return "unknown"


def _verbosity(layers: list[Layer]) -> Verbosity:
    return "detailed" if any(layer.inputs or layer.outputs for layer in layers) else "names"


# A list ends at the bracket after its last brace; the brackets of shapes follow digits.
_LINE = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<kind>[^,]*), "
    r"Inputs: \[(?P<inputs>(?:.*?\}\s*)?)\], Outputs: \[(?P<outputs>(?:.*?\}\s*)?)\](?P<rest>.*)$"
)
_TENSOR = re.compile(
    r"\{ ?Name: (?P<name>.*?), Dimensions: \[(?P<shape>[-\d, ]*)\], "
    r"(?:Format/Datatype: (?P<both>[^}]*?)|Format: [^}]*?, Data[Tt]ype: (?P<type>[^},]*?)) ?\}"
)
_TACTIC = re.compile(r"TacticName: ([^,]*)")


def _from_lines(text: str) -> Layers:
    """The one-line form, as a log holds it; lines of other kinds are passed over."""
    starts = (line[line.index("Name: ") :] for line in text.splitlines() if "Name: " in line)
    found = [_from_line(line.strip()) for line in starts if ", LayerType: " in line]
    if not found:
        raise DataError(f"the layer report is neither JSON nor lines of layers; {_MEND}")
    older = "Format/Datatype" in text
    return Layers(_first_profile(found), "10.x" if older else "11.x", _verbosity(found))


def _from_line(line: str) -> Layer:
    found = _LINE.match(line)
    if found is None:
        raise DataError(f"the layer report has a line that cannot be read: {line[:80]!r}; {_MEND}")
    tactic = _TACTIC.search(found["rest"])
    return Layer(
        name=_clean(found["name"]),
        kind=found["kind"],
        tactic=tactic[1] if tactic else "",
        inputs=tuple(_line_tensors(found["inputs"])),
        outputs=tuple(_line_tensors(found["outputs"])),
        nodes=_nodes(found["rest"]),
    )


def _line_tensors(text: str) -> Iterator[Tensor]:
    for found in _TENSOR.finditer(text):
        shape = tuple(int(size) for size in found["shape"].split(",") if size.strip())
        told = found["both"] or found["type"] or ""
        yield Tensor(_clean(found["name"]), shape, type_named(told))
