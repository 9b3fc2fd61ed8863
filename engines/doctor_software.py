"""What the doctor finds in the software: TensorRT, the way to device buffers, ONNX Runtime."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from .device_facts import DeviceFacts
from .device_files import packages
from .device_modules import import_problem
from .doctor_finding import Finding
from .version_numbers import version_of

NEWEST = (11, 5)
"""The known-bad list knows nothing of TensorRT from here on."""
SYSTEM_PYTHON = {6: "3.10", 7: "3.12"}
"""Of each JetPack, and so of its TensorRT binding."""


def software(device: DeviceFacts, root: Path) -> Iterator[Finding]:
    yield from _tensorrt(device, root)
    yield from _buffers(device)
    yield from _onnxruntime()
    yield from _beyond_the_list(device)


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
