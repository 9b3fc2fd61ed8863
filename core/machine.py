"""The machine a result was measured on: what one needs to know to compare two numbers."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

RELEVANT_FLAGS = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
)
RELEVANT_PACKAGES = (
    "numpy",
    "pillow",
    "torch",
    "timm",
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
    "nvidia-modelopt",
    "tensorrt",
    "tensorrt-rtx",
)


@dataclass(frozen=True)
class Machine:
    cpu: str
    cores: int
    """Processors this process may use."""
    flags: tuple[str, ...]
    memory_bytes: int
    system: str
    python: str
    packages: Mapping[str, str]

    @property
    def instruction_class(self) -> str:
        """The widest integer arithmetic; INT8 results may differ between classes."""
        classes = (
            ("amx_int8", "amx"),
            ("avx512_vnni", "avx512-vnni"),
            ("avx_vnni", "avx-vnni"),
            ("avx512f", "avx512"),
            ("avx2", "avx2"),
            ("i8mm", "arm-i8mm"),
            ("asimddp", "arm-dotprod"),
        )
        return next((name for flag, name in classes if flag in self.flags), "baseline")

    @property
    def has_bf16(self) -> bool:
        """Whether bfloat16 products are done by the hardware; emulated ones are slower."""
        return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(self.flags))

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "instruction_class": self.instruction_class}

    def as_text(self) -> str:
        packages = " ".join(f"{name} {version}" for name, version in self.packages.items())
        return (
            f"{self.cpu}, {self.cores} cores ({self.instruction_class}), "
            f"{self.memory_bytes / 2**30:.0f} GiB, {self.system}, Python {self.python}; {packages}"
        )


def this_machine() -> Machine:
    described = _read("/proc/cpuinfo")
    return Machine(
        cpu=_cpu_name(described),
        cores=usable_cores(),
        flags=_flags(described),
        memory_bytes=_memory(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        packages=_packages(),
    )


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float | None:
    """Of the last minute; it tells whether a timing had the machine to itself."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _cpu_name(described: str) -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", described, re.MULTILINE)
    board = _read("/proc/device-tree/model").rstrip("\0")
    return found[1] if found else board or platform.processor() or platform.machine()


def _flags(described: str) -> tuple[str, ...]:
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", described, re.MULTILINE)
    present = set(found[1].split()) if found else set()
    return tuple(flag for flag in RELEVANT_FLAGS if flag in present)


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def _packages() -> dict[str, str]:
    present = {each.name.lower(): each.version for each in metadata.distributions() if each.name}
    return {name: present[name] for name in RELEVANT_PACKAGES if name in present}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
