"""What the doctor finds in the hardware: power, clocks, memory, disk, processor."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..core.machine import this_machine
from .device_facts import DeviceFacts
from .device_files import memory, text
from .device_power import clocks_held, fastest_mode, offered_modes
from .doctor_finding import Finding
from .form_choice import cache_folder

GIB = 1 << 30
SMALL = 10 * GIB
"""Boards with less memory than this build engines with difficulty."""
FREE_MEMORY = 3 * GIB
FREE_DISK = 2 * GIB


def hardware(device: DeviceFacts, root: Path) -> Iterator[Finding]:
    yield from _power(device, root)
    yield from _memory(device, root)
    yield from _disk()
    yield from _processor(device)


def _power(device: DeviceFacts, root: Path) -> Iterator[Finding]:
    modes = offered_modes(root)
    best = fastest_mode(modes)
    if device.power_mode and best and device.power_mode != best:
        yield Finding(
            "power",
            "should",
            f"The power mode is {device.power_mode}; the fastest of this board is {best}.",
            f"sudo nvpmodel -m {modes[best]} (it may ask for a reboot), if power and heat allow",
        )
    if device.kind == "jetson" and clocks_held(root) is False:
        yield Finding(
            "clocks",
            "note",
            "The GPU's clock follows the load, so timings will vary.",
            "sudo jetson_clocks, after choosing the power mode and until the next boot",
        )


def _memory(device: DeviceFacts, root: Path) -> Iterator[Finding]:
    if device.kind == "cpu" or not 0 < device.memory < SMALL:
        return
    if not re.search(r"^/(?!dev/zram)", text(root / "proc/swaps"), re.MULTILINE):
        yield Finding(
            "memory",
            "should",
            f"There are {device.memory / GIB:.1f} GiB for everything, and no swap on a disk: "
            "building an engine may be killed.",
            "sudo fallocate -l 8G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile "
            "&& sudo swapon /swapfile",
        )
    free = memory(root).get("MemAvailable", 0)
    if 0 < free < FREE_MEMORY:
        yield Finding(
            "memory",
            "should",
            f"Only {free / GIB:.1f} GiB of memory are free.",
            "sudo systemctl isolate multi-user.target stops the desktop",
        )


def _disk() -> Iterator[Finding]:
    folder = cache_folder()
    place = next((one for one in (folder, *folder.parents) if one.exists()), Path.cwd())
    free = shutil.disk_usage(place).free
    if free < FREE_DISK:
        yield Finding(
            "disk",
            "should",
            f"{place} has {free / GIB:.1f} GiB free, and engines are kept there.",
            "free some space, or set XDG_CACHE_HOME to another disk",
        )
    if not os.access(place, os.W_OK):
        yield Finding(
            "disk",
            "should",
            f"{place} cannot be written to, so no engine is kept for next time.",
            "set XDG_CACHE_HOME to a folder of yours",
        )


def _processor(device: DeviceFacts) -> Iterator[Finding]:
    kind = this_machine().instruction_class
    if device.kind == "cpu" and kind in ("baseline", "avx2", "avx512"):
        yield Finding(
            "processor",
            "note",
            f"This processor ({kind}) has no INT8 dot products: an INT8 bundle is served in FP32.",
        )
