"""Which GPU is here: a Jetson's by its chip, any other by asking it or its driver."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..core.errors import EnvironmentMismatch
from .device_memory import open_device
from .version_numbers import Version

Capability = tuple[int, int]

CHIPS: Mapping[str, Capability] = {
    "nvidia,tegra210": (5, 3),
    "nvidia,tegra186": (6, 2),
    "nvidia,tegra194": (7, 2),
    "nvidia,tegra234": (8, 7),
    "nvidia,tegra264": (11, 0),
}
"""Compute capabilities of Nano, TX2, Xavier, Orin and Thor."""

THOR_BEFORE_CUDA_13: Capability = (10, 1)


@dataclass(frozen=True)
class Gpu:
    name: str | None = None
    capability: Capability | None = None


def jetson_capability(socs: Iterable[str], cuda: Version) -> Capability | None:
    found = next((CHIPS[soc] for soc in socs if soc in CHIPS), None)
    renumbered = found == CHIPS["nvidia,tegra264"] and cuda and cuda < (13,)
    return THOR_BEFORE_CUDA_13 if renumbered else found


def find_gpu() -> Gpu:
    """The device itself where it can be opened, else what its driver's tool says of it."""
    try:
        device = open_device()
    except EnvironmentMismatch:
        return _listed()
    facts = Gpu(device.name, device.capability)
    device.close()
    return facts


def _listed() -> Gpu:
    answer = command_output("nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader")
    found = re.match(r"(.+), *(\d+)\.(\d+)\s*$", answer.partition("\n")[0])
    return Gpu(found[1].strip(), (int(found[2]), int(found[3]))) if found else Gpu()


def command_output(name: str, *words: str, limit_s: float = 10.0) -> str:
    """What a command on the PATH prints; nothing where it is missing, fails or hangs."""
    place = shutil.which(name)
    if place is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            [place, *words], capture_output=True, timeout=limit_s, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", errors="replace")
