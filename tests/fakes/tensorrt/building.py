"""The builder's side. FAKE_FAULT may name, separated by commas:

hang, crash, refuse, slow (two seconds), strong-refused   what happens while building;
permuted, scaled, other-weights, nan                      what such a plan computes wrongly, always,
batch-1, batch-many                                       for one crop, for several,
drifts-typed, drifts-layernorm, drifts-dynamic            unless weakly typed, LayerNorm is in FP32,
                                                          or the batch is static.

Every build that begins adds a line to the file FAKE_BUILDS, if one is named.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import fake_gpu
import onnx

from .graph import INetworkDefinition
from .kinds import kind
from .recorded import NUMBERS, VERSION, Strict, Value, enumeration

MAGIC = b"ftrt"
TIMING = b"ftiming"
WRONG = ("permuted", "scaled", "other-weights", "batch-1", "batch-many", "nan")


class ILogger:
    Severity = enumeration("ILogger.Severity")

    def __init__(self) -> None:
        pass


class Logger(ILogger):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = (
        ILogger.Severity[name] for name in ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")
    )

    def __init__(self, min_severity: Value = ILogger.Severity["WARNING"]) -> None:
        self._least = min_severity

    def log(self, severity: Value, text: str) -> None:
        """Errors of a real one go to standard error; nobody reads them here."""


class IHostMemory(bytes):
    """Of the real one, too, a memoryview can be made."""


class ITimingCache(Strict):
    def __init__(self, known: dict[str, Any]) -> None:
        self._known = known

    def serialize(self) -> IHostMemory:
        return IHostMemory(TIMING + json.dumps(self._known).encode())


class IOptimizationProfile(Strict):
    def __init__(self) -> None:
        self._shapes: dict[str, list[tuple[int, ...]]] = {}

    def set_shape(self, name: str, least: Any, usual: Any, most: Any) -> None:
        self._shapes[name] = [tuple(least), tuple(usual), tuple(most)]


class IBuilderConfig(Strict):
    def __init__(self, logger: ILogger) -> None:
        self._logger, self._profiles, self._flags = logger, [], set()
        self._timing: ITimingCache | None = None
        self._level, self._limits = 3, {}
        self._verbosity = kind("ProfilingVerbosity")["LAYER_NAMES_ONLY"]

    builder_optimization_level = property(
        lambda self: self._level, lambda self, value: setattr(self, "_level", value)
    )
    profiling_verbosity = property(
        lambda self: self._verbosity, lambda self, value: setattr(self, "_verbosity", value)
    )

    def set_flag(self, flag: Value) -> None:
        self._flags.add(flag.name)

    def set_memory_pool_limit(self, pool: Value, size: int) -> None:
        self._limits[pool.name] = size

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self._profiles.append(profile._shapes)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized: bytes) -> ITimingCache | None:
        if not serialized:
            return ITimingCache({"version": VERSION, "device": _device(), "kernels": 0})
        try:
            assert bytes(serialized).startswith(TIMING)
            return ITimingCache(json.loads(bytes(serialized)[len(TIMING) :]))
        except (AssertionError, ValueError):
            self._logger.log(ILogger.Severity["ERROR"], "failed to deserialize timing cache")
            return None

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        known = cache._known
        if not ignore_mismatch and (known["version"], known["device"]) != (VERSION, _device()):
            return False
        self._timing = cache
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        return self._timing


class ParserError(Strict):
    def __init__(self, node: Any, text: str) -> None:
        self._node, self._text = node, text

    def node_name(self) -> str:
        return self._node.name if self._node is not None else ""

    def node_operator(self) -> str:
        return self._node.op_type if self._node is not None else ""

    def desc(self) -> str:
        return self._text


class OnnxParser(Strict):
    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network, self._errors = network, []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def parse(self, model: bytes, path: str | None = None) -> bool:
        try:
            found = onnx.load_from_string(bytes(model))
            onnx.checker.check_model(found)
        except Exception as problem:
            self._errors.append(ParserError(None, str(problem)))
            return False
        for node in found.graph.node:
            if node.op_type == "Attention" and NUMBERS < (10, 14):
                text = "no importer registered for op: Attention"
                self._errors.append(ParserError(node, text))
        if not self._errors:
            self._network._load(found)
        return not self._errors


class Builder(Strict):
    def __init__(self, logger: ILogger) -> None:
        self._logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        return INetworkDefinition(flags)

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig(self._logger)

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> IHostMemory | None:
        asked = fake_gpu.faults()
        _write_down(config)
        _misbehave(asked)
        strong = _strong(network)
        static = all(size > 0 for shape in network._shapes.values() for size in shape)
        for text in _refusals(network, config, strong, static, asked):
            self._logger.log(ILogger.Severity["ERROR"], text)
            return None
        if config._timing is not None:
            config._timing._known["kernels"] += 1
        raised = network._raised()
        wrong = [name for name in WRONG if name in asked]
        mended = {"drifts-typed": not strong, "drifts-layernorm": raised, "drifts-dynamic": static}
        wrong += ["other-weights" for name, right in mended.items() if name in asked and not right]
        header = {
            "version": VERSION,
            "device": _device(),
            "profile": config._profiles[0] if config._profiles else None,
            "wrong": wrong,
            "typing": "strong" if strong else "weak",
            "level": config._level,
            "fp32_layernorms": raised,
            "workspace": config._limits.get("WORKSPACE"),
            "verbosity": config._verbosity.name,
        }
        told = json.dumps(header).encode()
        onnx_file = network._built().SerializeToString()
        return IHostMemory(MAGIC + len(told).to_bytes(4, "little") + told + onnx_file)


def _strong(network: INetworkDefinition) -> bool:
    flag = RECORDED_STRONG.get("STRONGLY_TYPED")
    return NUMBERS >= (11, 0) or bool(network._flags & (1 << flag))


RECORDED_STRONG = {
    name: int(value) for name, value in kind("NetworkDefinitionCreationFlag").__members__.items()
}


def _refusals(
    network: INetworkDefinition, config: IBuilderConfig, strong: bool, static: bool, asked: set[str]
) -> list[str]:
    quantised = any(node.op_type == "QuantizeLinear" for node in network._model.graph.node)
    found = []
    if "refuse" in asked or ("strong-refused" in asked and strong):
        found.append("could not find any implementation for node /pretended")
    if not static and not config._profiles:
        found.append("network has dynamic inputs, but no optimization profile has been defined")
    if strong and config._flags & {"FP16", "INT8"}:
        found.append("precision flags may not be set for a strongly typed network")
    if not strong and quantised and "INT8" not in config._flags:
        found.append("INT8 must be enabled for a network with Q/DQ layers")
    return found


def _write_down(config: IBuilderConfig) -> None:
    if place := os.environ.get("FAKE_BUILDS"):
        with Path(place).open("a") as file:
            file.write(f"{os.getpid()} {time.monotonic()} {config._limits.get('WORKSPACE')}\n")


def _misbehave(asked: set[str]) -> None:
    if "hang" in asked:
        time.sleep(3600)
    if "slow" in asked:
        time.sleep(2)
    if "crash" in asked:
        os.abort()


def _device() -> list[Any]:
    found = fake_gpu.facts()
    if found is None:
        raise RuntimeError("pybind11: factory function returned nullptr")
    return [found.name, *found.capability]
