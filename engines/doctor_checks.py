"""What a person can put right on this machine: each check says what it found and the mend."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ..core.machine import this_machine
from .device_facts import DeviceFacts
from .device_files import memory, packages, text
from .device_modules import import_problem
from .device_power import clocks_held, fastest_mode, offered_modes
from .form_choice import cache_folder
from .version_numbers import version_of

Level = Literal["must", "should", "note"]

GIB = 1 << 30
SMALL = 10 * GIB
"""Boards with less memory than this build engines with difficulty."""
FREE_MEMORY = 3 * GIB
FREE_DISK = 2 * GIB
NEWEST = (11, 5)
"""The known-bad list knows nothing of TensorRT from here on."""
SYSTEM_PYTHON = {6: "3.10", 7: "3.12"}
"""Of each JetPack, and so of its TensorRT binding."""


@dataclass(frozen=True)
class Finding:
    """`must`: a GPU runtime stays out of reach without it. `should`: it costs speed or a build."""

    topic: str
    level: Level
    says: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def findings(device: DeviceFacts, root: Path) -> tuple[Finding, ...]:
    """The gravest first, in the order of the checks."""
    found = [
        *_tensorrt(device, root),
        *_buffers(device),
        *_power(device, root),
        *_memory(device, root),
        *_disk(),
        *_processor(device),
        *_onnxruntime(),
        *_beyond_the_list(device),
    ]
    levels = ("must", "should", "note")
    return tuple(sorted(found, key=lambda one: levels.index(one.level)))


def _tensorrt(device: DeviceFacts, root: Path) -> Iterator[Finding]:
    """A Jetson's TensorRT is the system's: this Python must be able to see it."""
    if problem := import_problem("tensorrt"):
        yield Finding(
            "tensorrt",
            "must",
            f"TensorRT's Python package is here but fails: {problem}.",
            _import_mend(problem),
        )
    elif device.tensorrt_python is None and device.tensorrt_library:
        yield Finding("tensorrt", "must", *_unseen(device, root))
    elif device.tensorrt is None and device.kind == "jetson":
        yield Finding(
            "tensorrt",
            "must",
            "This Jetson was flashed without TensorRT.",
            "sudo apt update && sudo apt install nvidia-jetpack",
        )
    yield from _two_versions(device)


def _import_mend(problem: str) -> str:
    if "nvdla_compiler" in problem:
        return "sudo apt install nvidia-l4t-dla-compiler (JetPack 6), or use the host's TensorRT"
    return "install the libraries of the same version, or reinstall both together"


def _unseen(device: DeviceFacts, root: Path) -> tuple[str, str]:
    wanted = _binding_python(device, root)
    running = ".".join(device.python.split(".")[:2])
    if wanted is None or "python3-libnvinfer" not in packages(root):
        return (
            f"TensorRT {device.tensorrt_library} is installed without its Python binding.",
            "sudo apt install python3-libnvinfer",
        )
    make = f"python{wanted} -m venv --system-site-packages ~/personvit"
    if running != wanted:
        return (
            f"This is Python {running}, and the system's TensorRT {device.tensorrt_library} can "
            f"be imported by Python {wanted} only.",
            f"{make}, and install personvit there",
        )
    if sys.prefix != sys.base_prefix:
        return (
            "This virtual environment cannot see the system's packages, TensorRT among them.",
            f"{make}, and install personvit there",
        )
    return (
        f"This Python {running} does not find the system's TensorRT {device.tensorrt_library}.",
        f"use /usr/bin/python{wanted}, or {make}",
    )


def _binding_python(device: DeviceFacts, root: Path) -> str | None:
    """The system's Python, for which alone the binding was built."""
    for place in sorted((root / "usr/lib").glob("python3.*/dist-packages/tensorrt*")):
        return place.parts[-3].removeprefix("python")
    return SYSTEM_PYTHON.get((version_of(device.jetpack) or (0,))[0])


def _two_versions(device: DeviceFacts) -> Iterator[Finding]:
    python, library = version_of(device.tensorrt_python), version_of(device.tensorrt_library)
    if python and library and python[:3] != library[:3]:
        yield Finding(
            "tensorrt",
            "should",
            f"Python imports TensorRT {device.tensorrt_python}, and the system has "
            f"{device.tensorrt_library}: trtexec and DeepStream will not load plans made here.",
            "use the system's one: a virtual environment with --system-site-packages",
        )


def _buffers(device: DeviceFacts) -> Iterator[Finding]:
    """Device buffers come through cuda-python, which follows the major version of CUDA."""
    if device.kind == "cpu" or find_spec("pycuda") is not None:
        return
    cuda = version_of(device.cuda)
    pin = f"cuda-bindings=={cuda[0]}.*" if cuda else "cuda-bindings"
    try:
        bindings = version_of(metadata.version("cuda-bindings"))
    except metadata.PackageNotFoundError:
        yield Finding(
            "cuda",
            "must",
            "Neither cuda-python nor pycuda is here, and device buffers need one.",
            f"pip install '{pin}'",
        )
        return
    if cuda and bindings and bindings[0] > cuda[0]:
        yield Finding(
            "cuda",
            "should",
            f"cuda-bindings {bindings[0]} is newer than CUDA {device.cuda} of this machine.",
            f"pip install '{pin}'",
        )


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


def _onnxruntime() -> Iterator[Finding]:
    if find_spec("onnxruntime") is None:
        return
    if problem := import_problem("onnxruntime"):
        yield Finding(
            "onnxruntime",
            "should",
            f"ONNX Runtime is here but fails: {problem}.",
            "pip install --force-reinstall onnxruntime",
        )
        return
    import onnxruntime

    listed = onnxruntime.get_available_providers()
    if gpu := [name for name in listed if name.startswith(("CUDA", "Tensorrt", "NvTensorRT"))]:
        names = ", ".join(name.removesuffix("ExecutionProvider") for name in gpu)
        yield Finding(
            "onnxruntime",
            "note",
            f"ONNX Runtime also lists {names}, which says nothing of whether they load; the "
            "engine onnxruntime here uses the CPU.",
        )


def _beyond_the_list(device: DeviceFacts) -> Iterator[Finding]:
    if version_of(device.tensorrt) >= NEWEST:
        yield Finding(
            "list",
            "note",
            f"TensorRT {device.tensorrt} is newer than the known-bad list: that nothing is said "
            "of it means nothing. Golden crops and probe decide.",
        )
    if device.l4t and not device.jetpack:
        yield Finding(
            "list",
            "note",
            f"L4T {device.l4t} is of no release of JetPack that is known here.",
            "upgrade personvit",
        )
