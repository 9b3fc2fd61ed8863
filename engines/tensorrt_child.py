"""The process that a plan is built in, so that a crash or a hang of the compiler stays there.

    python -m personvit.engines.tensorrt_child FOLDER

reads `model.onnx` and `request.json` in FOLDER and leaves `result.json` and, if it built, `plan`.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from .device_memory import gpu_missing, open_device
from .tensorrt_layernorm import in_fp32

MODEL, REQUEST, RESULT = "model.onnx", "request.json", "result.json"
PLAN, LAYERS, TIMING = "plan", "layers.json", "timing.cache"
STALE_TIMING = "what was measured of kernels earlier is of no use here; it is measured anew"
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


class Refused(Exception):
    """A call that reports failure by what it returns."""


def build(folder: Path) -> dict[str, Any]:
    """Parse and build; what went wrong is in the answer, in full."""
    request = json.loads((folder / REQUEST).read_text())
    trt = import_module(request["package"])
    messages: list[tuple[str, str]] = []
    errors: list[str] = []
    try:
        built = _build(trt, folder, request, messages, errors)
        if built and not request["capabilities"] and not gpu_missing():
            _inspect(trt, folder, messages)
    except Refused as problem:
        errors.append(str(problem))
        (folder / PLAN).unlink(missing_ok=True)
    errors += [text for severity, text in messages if severity != "WARNING"]
    warnings = [text for severity, text in messages if severity == "WARNING"]
    return {"errors": errors, "warnings": warnings, "version": trt.__version__}


def _build(
    trt: Any,
    folder: Path,
    request: dict[str, Any],
    messages: list[tuple[str, str]],
    errors: list[str],
) -> bool:
    builder = trt.Builder(_logger(trt, messages))
    network = builder.create_network(_network_flags(trt, request["typing"]))
    parser = trt.OnnxParser(network, _logger(trt, messages))
    if not parser.parse((folder / MODEL).read_bytes()):
        errors += [_parser_error(parser.get_error(index)) for index in range(parser.num_errors)]
        return False
    config = builder.create_builder_config()
    _shapes(builder, network, config, request)
    _configure(trt, config, request)
    if request["typing"] == "weak":
        _allow_low_precision(trt, network, config, request["fp32_layernorm"])
    if request["fp32_layernorm"]:
        in_fp32(trt, network, weakly=request["typing"] == "weak")
    _load_timing(config, folder / TIMING, messages)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        return False
    (folder / PLAN).write_bytes(memoryview(plan))
    if (cache := config.get_timing_cache()) is not None:
        (folder / TIMING).write_bytes(memoryview(cache.serialize()))
    return True


def _network_flags(trt: Any, typing: str) -> int:
    """By name: TensorRT renumbers its enums, and newer ones are always strongly typed."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None or typing == "weak" else 1 << int(flag)


def _shapes(builder: Any, network: Any, config: Any, request: dict[str, Any]) -> None:
    """The batch: fixed in the graph itself, or a range that one profile tells."""
    least, usual, most = request["batch"]
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    if request["static"]:
        for value in inputs:
            value.shape = (most, *tuple(value.shape)[1:])
        return
    profile = builder.create_optimization_profile()
    for value in inputs:
        shape = tuple(value.shape)[1:]
        profile.set_shape(value.name, *((count, *shape) for count in (least, usual, most)))
    if config.add_optimization_profile(profile) < 0:
        raise Refused(f"the compiler takes no batch from {least} to {most} for this graph")


def _configure(trt: Any, config: Any, request: dict[str, Any]) -> None:
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if request["level"] is not None:
        config.builder_optimization_level = request["level"]
    if request["package"] == "tensorrt_rtx":
        _target(trt, config, request["capabilities"])
    workspace = request["workspace"] or _free_for_workspace()
    if workspace:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)


def _target(trt: Any, config: Any, capabilities: list[str]) -> None:
    names = ["SM" + capability.replace(".", "") for capability in capabilities] or ["CURRENT"]
    config.num_compute_capabilities = len(names)
    for place, name in enumerate(names):
        if not config.set_compute_capability(getattr(trt.ComputeCapability, name), place):
            raise Refused(f"the compiler does not take the architecture {name}")


def _free_for_workspace() -> int | None:
    """On a Jetson the compiler itself, its caller and the GPU share one memory."""
    if gpu_missing():
        return None
    device = open_device()
    share = 4 if device.integrated else 2
    free = device.free_memory()
    device.close()
    return free // share


def _allow_low_precision(trt: Any, network: Any, config: Any, islands: bool) -> None:
    """The older form: precisions are allowed by flags, where this version still has them."""
    kinds = {network.get_layer(index).type for index in range(network.num_layers)}
    wanted = ["FP16"]
    if trt.LayerType.QUANTIZE in kinds:
        wanted.append("INT8")
    if islands:
        wanted.append("OBEY_PRECISION_CONSTRAINTS")
    for name in wanted:
        flag = getattr(trt.BuilderFlag, name, None)
        if flag is None:
            raise Refused(f"TensorRT {trt.__version__} builds strongly typed graphs only")
        config.set_flag(flag)


def _load_timing(config: Any, path: Path, messages: list[tuple[str, str]]) -> None:
    """Give what earlier builds measured; what is damaged or another device's is left out.

    Some versions refuse it, and some take it, complain, and go on with an empty one.
    """
    known = path.read_bytes() if path.is_file() else b""
    count = len(messages)
    if not _take_timing(config, known) or len(messages) > count:
        del messages[count:]
        messages.append(("WARNING", STALE_TIMING))
        if not _take_timing(config, b""):
            raise Refused("the compiler takes no timing cache, not even an empty one")


def _take_timing(config: Any, known: bytes) -> bool:
    try:
        cache = config.create_timing_cache(known)
    except (RuntimeError, TypeError, ValueError):
        return False
    return cache is not None and bool(config.set_timing_cache(cache, ignore_mismatch=False))


def _inspect(trt: Any, folder: Path, messages: list[tuple[str, str]]) -> None:
    """Load the plan where it would hurt nobody, and keep what it says of its layers."""
    runtime = trt.Runtime(_logger(trt, messages))
    engine = runtime.deserialize_cuda_engine((folder / PLAN).read_bytes())
    if engine is None:
        raise Refused("the plan that was built cannot be loaded here")
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    (folder / LAYERS).write_text(text)


def _parser_error(error: Any) -> str:
    return f"node {error.node_name()!r} ({error.node_operator()}): {error.desc()}"


def _logger(trt: Any, messages: list[tuple[str, str]]) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            if severity.name in ("INTERNAL_ERROR", "ERROR", "WARNING"):
                messages.append((severity.name, text))

    return Logger()


def main() -> None:
    # Without its parent nobody waits for the plan, and the lock on building is gone.
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    folder = Path(sys.argv[1])
    (folder / RESULT).write_text(json.dumps(build(folder)))


if __name__ == "__main__":
    main()
