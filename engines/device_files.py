"""Reads the files in which a Linux tells of itself; a missing or garbled one tells nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .version_numbers import plain

_LARGEST = 64 * 2**20
"""A list of packages is a few megabytes; what is larger than this is something else."""

_TENSORRT = re.compile(r"libnvinfer\d+|libnvinfer-bin|tensorrt")


def text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def packages(root: Path) -> Mapping[str, str]:
    """The version of every installed Debian package."""
    path = root / "var/lib/dpkg/status"
    try:
        changed = path.stat().st_mtime_ns
    except (OSError, ValueError):
        return {}
    return _packages(path, changed)


@cache
def _packages(path: Path, changed: int) -> Mapping[str, str]:
    found = {}
    for stanza in re.split(r"\n\s*\n", text(path)):
        fields = dict(re.findall(r"^(Package|Status|Version): *(.*)$", stanza, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed") and "Package" in fields:
            found[fields["Package"]] = fields.get("Version", "")
    return found


def tensorrt(packages: Mapping[str, str]) -> str | None:
    """Of the library itself: `libnvinfer10`, `libnvinfer11`, ..."""
    named = sorted((name for name in packages if _TENSORRT.fullmatch(name)), key=_rank)
    return next((version for name in named if (version := plain(packages[name]))), None)


def _rank(name: str) -> tuple[bool, str]:
    return not name[-1].isdigit(), name


def cuda(root: Path, packages: Mapping[str, str]) -> str | None:
    """The toolkit's own file, else its packages: many boards have the libraries alone."""
    try:
        told = json.loads(text(root / "usr/local/cuda/version.json") or "{}")
        version = plain(str(told["cuda"]["version"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        version = None
    libraries = (name for name in sorted(packages) if re.fullmatch(r"cuda-cudart-\d+-\d+", name))
    return version or next((plain(packages[name]) for name in libraries), None)


def driver(root: Path) -> str | None:
    """The number in `NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.00 ...`."""
    line = text(root / "proc/driver/nvidia/version").partition("\n")[0]
    found = re.search(r"\s(\d{3,4}(?:\.\d+)+)\s", line + " ")
    return found[1] if found else None


def memory(root: Path) -> Mapping[str, int]:
    """In bytes, by the names of /proc/meminfo."""
    rows = re.findall(r"^(\w+): +(\d{1,15}) kB$", text(root / "proc/meminfo"), re.MULTILINE)
    return {name: int(size) * 1024 for name, size in rows}
