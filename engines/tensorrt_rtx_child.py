"""The process that TensorRT-RTX builds in, so that a crash or a hang of the compiler stays there.

    python -m personvit.engines.tensorrt_rtx_child FOLDER

reads `model.onnx` and `request.json` in FOLDER and leaves `result.json` and, if it built, `plan`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MODEL, REQUEST, RESULT, PLAN = "model.onnx", "request.json", "result.json", "plan"


def build(folder: Path) -> dict[str, Any]:
    """Parse and build; what went wrong is in the answer, in full."""
    import tensorrt_rtx as trt

    request = json.loads((folder / REQUEST).read_text())
    messages: list[tuple[str, str]] = []
    builder = trt.Builder(_logger(trt, messages))
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, _logger(trt, messages))
    parsed = parser.parse((folder / MODEL).read_bytes())
    errors = [_parser_error(parser.get_error(index)) for index in range(parser.num_errors)]
    if parsed:
        config = builder.create_builder_config()
        _target(trt, config, request["capabilities"])
        config.add_optimization_profile(_profile(builder, network, request["batch"]))
        plan = builder.build_serialized_network(network, config)
        if plan is not None:
            (folder / PLAN).write_bytes(bytes(plan))
    errors += [text for severity, text in messages if severity != "WARNING"]
    warnings = [text for severity, text in messages if severity == "WARNING"]
    return {
        "parsed": bool(parsed),
        "errors": errors,
        "warnings": warnings,
        "version": trt.__version__,
    }


def _network_flags(trt: Any) -> int:
    """By name: TensorRT renumbers its enums, and newer ones are always strongly typed."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _target(trt: Any, config: Any, capabilities: list[str]) -> None:
    names = ["SM" + capability.replace(".", "") for capability in capabilities] or ["CURRENT"]
    config.num_compute_capabilities = len(names)
    for place, name in enumerate(names):
        config.set_compute_capability(getattr(trt.ComputeCapability, name), place)


def _profile(builder: Any, network: Any, batch: list[int]) -> Any:
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        value = network.get_input(index)
        shape = tuple(value.shape)[1:]
        profile.set_shape(value.name, *((count, *shape) for count in batch))
    return profile


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
    folder = Path(sys.argv[1])
    (folder / RESULT).write_text(json.dumps(build(folder)))


if __name__ == "__main__":
    main()
