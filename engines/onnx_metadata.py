"""The metadata properties of an ONNX file, read without the onnx package, which devices lack."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.errors import BundleError

_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def metadata_of(model: bytes, name: str) -> dict[str, str]:
    """Key and value pairs of a serialised ModelProto."""
    view = memoryview(model)
    try:
        pairs = [
            dict(_fields(entry)) for number, entry in _fields(view) if number == _METADATA_PROPS
        ]
        return {_text(pair[_KEY]): _text(pair[_VALUE]) for pair in pairs}
    except (IndexError, KeyError, ValueError) as problem:
        raise BundleError(f"{name}: this is not an ONNX file, or it is cut off") from problem


def _text(value: memoryview) -> str:
    return bytes(value).decode()


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The length-delimited fields of a protobuf message; others are stepped over."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == _VARINT:
            _, place = _varint(data, place)
            continue
        if kind == _BYTES:
            size, place = _varint(data, place)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(kind)
        if place + size > len(data):
            raise ValueError(size)
        if kind == _BYTES:
            yield tag >> 3, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError(value)
