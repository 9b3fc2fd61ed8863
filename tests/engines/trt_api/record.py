"""Records the public API of TensorRT's real Python bindings, with no library of TensorRT's.

    python3.10 -m pip download --no-deps -d wheels tensorrt_cu12_bindings==10.3.0
    python3.10 tests/engines/trt_api/record.py wheels/*.whl

The bindings are one extension module. It imports when its three libraries are stand-ins that hold
no more than the few entry points it is linked to, so names, enum values and methods are the real
ones; nothing of it can be called. Run it with the Python that the wheels are for.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
ENTRY_POINTS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
IN_FULL = (
    "Builder",
    "EngineInspector",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILayer",
    "ILogger",
    "INetworkDefinition",
    "INormalizationLayer",
    "IOptimizationProfile",
    "ITensor",
    "ITimingCache",
    "Logger",
    "OnnxParser",
    "ParserError",
    "Runtime",
)
"""Classes whose members are kept: those that building and running have to do with."""


def describe(module: Any) -> dict[str, Any]:
    public = sorted(name for name in dir(module) if not name.startswith("_"))
    enums = {
        name: {member: int(value) for member, value in found.__members__.items()}
        for name in public
        if hasattr(found := getattr(module, name), "__members__") and isinstance(found, type)
    }
    enums["ILogger.Severity"] = {k: int(v) for k, v in module.ILogger.Severity.__members__.items()}
    classes = {
        name: {
            member: signature(getattr(getattr(module, name), member))
            for member in dir(getattr(module, name))
            if not member.startswith("_")
        }
        for name in IN_FULL
        if name in public
    }
    return {"names": public, "enums": enums, "classes": classes}


def signature(member: Any) -> str:
    """As pybind11 writes it: the first line, or one line for each overload; "" for no method."""
    if not callable(member):
        return ""
    lines = [line.strip() for line in (member.__doc__ or "").splitlines()]
    overloads = [line for line in lines if line[:2] in ("1.", "2.", "3.")]
    return "; ".join(overloads or lines[:1])


def stand_ins(folder: Path, major: str) -> None:
    """Libraries with the entry points alone, under the names that the bindings look for."""
    source = folder / "entry_points.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in ENTRY_POINTS))
    for library in LIBRARIES:
        name = f"lib{library}.so.{major}"
        out = str(folder / name)
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", out, str(source)]
        subprocess.run(command, check=True)


def record(wheel: Path) -> Path:
    version = wheel.name.split("-")[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stand_ins(folder, version.split(".")[0])
        with zipfile.ZipFile(wheel) as archive:
            archive.extract("tensorrt_bindings/tensorrt.so", folder)
        extension = folder / "tensorrt_bindings" / "tensorrt.so"
        command = [sys.executable, __file__, "--describe", str(extension)]
        done = subprocess.run(
            command,
            env={**os.environ, "LD_LIBRARY_PATH": str(folder)},
            check=True,
            capture_output=True,
        )
    return write(version, wheel.name, json.loads(done.stdout))


def write(version: str, source: str, facts: dict[str, Any]) -> Path:
    path = HERE / f"{version}.json"
    rows = {"version": version, "recorded_from": source, **facts}
    path.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    return path


def load(extension: str) -> Any:
    spec = importlib.util.spec_from_file_location("tensorrt", extension)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    if sys.argv[1] == "--describe":
        sys.stdout.write(json.dumps(describe(load(sys.argv[2]))))
    else:
        for wheel in sys.argv[1:]:
            sys.stdout.write(f"{record(Path(wheel))}\n")


if __name__ == "__main__":
    main()
