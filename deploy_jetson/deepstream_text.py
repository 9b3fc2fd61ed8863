"""Settings as the text of DeepStream's two kinds of file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from .deepstream_settings import Setting, Value


def as_nvinfer(settings: Iterable[Setting]) -> str:
    """GLib's key file: a list is separated by semicolons."""
    lines = [f"# {setting.why}\n{setting.key}={_key_file(setting.value)}" for setting in settings]
    return "\n".join(["[property]", *lines]) + "\n"


def as_tracker(settings: Iterable[Setting]) -> str:
    """The YAML of OpenCV's flavour that the tracker reads."""
    sections = groupby(settings, key=lambda setting: setting.section)
    return "%YAML:1.0\n" + "\n".join(f"{name}:\n{_block(each)}" for name, each in sections)


def _block(settings: Iterable[Setting]) -> str:
    return "".join(
        f"  {setting.key}: {_yaml(setting.value)}  # {setting.why}\n" for setting in settings
    )


def _key_file(value: Value) -> str:
    if isinstance(value, tuple):
        return ";".join(_key_file(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _yaml(value: Value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_yaml(each) for each in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
