"""Every value of the DeepStream files, with what decided it: the bundle, the user or DeepStream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np

from ..core.bundle import Bundle
from ..core.errors import BundleError
from ..core.manifest import EMBEDDING, Variant
from .deepstream_versions import SOURCES, DeepStreamVersion

KIND = "deepstream"
ONNX = "reid.onnx"
NVINFER_MODES: Mapping[str, int] = {"fp32": 0, "int8": 1, "fp16": 2}
TRACKER_MODES: Mapping[str, int] = {"fp32": 0, "fp16": 1, "int8": 2}
"""The same three precisions in another order: nvinfer's INT8 is the tracker's FP16."""

Origin = Literal["bundle", "option", "version", "choice"]
Value = int | float | str | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Setting:
    """One line of a file. `origin` says who decided the value, `source` where its meaning is."""

    section: str
    key: str
    value: Value
    origin: Origin
    why: str
    source: str = ""

    def as_json(self) -> dict[str, Any]:
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {
            "section": self.section,
            "key": self.key,
            "value": value,
            "origin": self.origin,
            "why": self.why,
            "source": SOURCES.get(self.source, self.source),
        }


@dataclass(frozen=True)
class Facts:
    """What a bundle says about its graph for DeepStream."""

    variant: Variant
    height: int
    width: int
    dimension: int
    input: str
    output: str
    unit_length: bool

    @property
    def precision(self) -> str:
        return self.variant.precision


@dataclass(frozen=True)
class Choices:
    """What the user and the release decide. `place` is where the folder lies on the device."""

    version: DeepStreamVersion
    batch: int
    place: PurePosixPath


def facts_of(bundle: Bundle, candidate: str | None) -> Facts:
    """The bundle's graph for DeepStream, or the one of a named candidate."""
    variant = variant_for(bundle, candidate)
    crops = next(spec for spec in variant.inputs if spec.meaning == "crops")
    output = next(spec for spec in variant.outputs if spec.meaning == EMBEDDING)
    size = bundle.manifest.preprocess
    if crops.dtype != "float32" or crops.shape[1:] != (3, size.height, size.width):
        raise BundleError(
            f"{bundle.path}: variant {variant.name!r} takes {crops.dtype} of shape "
            f"{list(crops.shape)}, and DeepStream feeds float32 planes; export the bundle again "
            "with --target deepstream"
        )
    if len(variant.inputs) > 1:
        extra = ", ".join(spec.name for spec in variant.inputs if spec is not crops)
        raise BundleError(
            f"{bundle.path}: variant {variant.name!r} also needs {extra}, which DeepStream cannot "
            "feed; export a model without camera embeddings"
        )
    lengths = np.linalg.norm(bundle.golden().expected[variant.name].embeddings, axis=1)
    unit = bool(np.abs(lengths - 1).max() < variant.bounds.norm_tolerance)
    dimension = bundle.manifest.space.dimension
    return Facts(variant, size.height, size.width, dimension, crops.name, output.name, unit)


def variant_for(bundle: Bundle, candidate: str | None) -> Variant:
    found = [each for each in bundle.manifest.variants if each.kind == KIND]
    if not found:
        known = ", ".join(each.name for each in bundle.manifest.variants)
        raise BundleError(
            f"{bundle.path}: no variant is for DeepStream (it has {known}); export it with "
            "--target cpu,deepstream"
        )
    for variant in found:
        if candidate in (None, variant.candidate):
            return variant
    known = ", ".join(each.candidate for each in found)
    raise BundleError(
        f"{bundle.path}: no DeepStream variant is the candidate {candidate!r}; it has {known}"
    )


def engine_name(batch: int, mode: str) -> str:
    """The name under which nvinfer and the tracker look for, and store, a built engine."""
    return f"{ONNX}_b{batch}_gpu0_{mode}.engine"


def nvinfer_settings(facts: Facts, choices: Choices) -> tuple[Setting, ...]:
    """The secondary inference element: one embedding for each detected person."""
    return tuple(_nvinfer(facts, choices))


def tracker_settings(facts: Facts, choices: Choices) -> tuple[Setting, ...]:
    """The `ReID` block of the tracker's file."""
    return tuple(_tracker(facts, choices))


def nvinfer_mode(facts: Facts, version: DeepStreamVersion) -> str:
    """Strong typing reads all precisions from the graph and forbids the flags of the others."""
    return "fp32" if version.strongly_typed else facts.precision


def _nvinfer(facts: Facts, choices: Choices) -> Iterator[Setting]:
    def line(
        key: str, value: Value, origin: Origin, why: str, source: str = "nvinfer keys"
    ) -> Setting:
        return Setting("property", key, value, origin, why, source)

    version, mode = choices.version, nvinfer_mode(facts, choices.version)
    yield line("gpu-id", 0, "choice", "the only GPU of a Jetson")
    yield line("gie-unique-id", 2, "choice", "names this element; the detector is 1")
    yield line("process-mode", 2, "choice", "secondary: works on the objects of another element")
    yield line("operate-on-gie-id", 1, "choice", "the detector's gie-unique-id")
    yield line("operate-on-class-ids", "0", "choice", "the detector's class of people: change it")
    yield line(
        "network-type",
        100,
        "choice",
        "raw tensors of every person in every frame: classifiers skip",
    )
    yield line("output-tensor-meta", 1, "choice", "attach the embedding to the object")
    yield line("onnx-file", ONNX, "bundle", f"variant {facts.variant.name}")
    why = "built at the first start where it is missing"
    yield line(
        "model-engine-file", engine_name(choices.batch, mode), "version", why, "nvinfer engines"
    )
    yield line("batch-size", choices.batch, "option", "--batch")
    if version.strongly_typed:
        yield line("strongly-typed", 1, "version", "types, Q/DQ included, come from the graph")
        why = "no precision flag: strong typing forbids them"
    else:
        why = f"the graph is {facts.precision}"
    origin: Origin = "version" if version.strongly_typed else "bundle"
    yield line("network-mode", NVINFER_MODES[mode], origin, why, "network modes")
    yield line("infer-dims", (3, facts.height, facts.width), "bundle", "channels, height, width")
    yield line("network-input-order", 0, "bundle", "the graph takes planes (NCHW)")
    yield line("model-color-format", 0, "bundle", "the graph takes RGB")
    yield line("net-scale-factor", 1.0, "bundle", "the graph divides by the standard deviation")
    yield line("offsets", (0.0, 0.0, 0.0), "bundle", "the graph subtracts the mean")
    yield line("maintain-aspect-ratio", 0, "bundle", "the model was trained on stretched crops")
    yield line("output-blob-names", facts.output, "bundle", "the output's name")
    yield line(
        "scaling-filter", 1, "choice", "bilinear: the default takes the nearest pixel", "scaling"
    )
    yield line(
        "scaling-compute-hw", 1, "choice", "the GPU: VIC's filter is not documented", "scaling"
    )


def _tracker(facts: Facts, choices: Choices) -> Iterator[Setting]:
    def line(
        key: str, value: Value, origin: Origin, why: str, source: str = "tracker keys"
    ) -> Setting:
        return Setting("ReID", key, value, origin, why, source)

    mode = facts.precision
    yield line("reidType", 2, "choice", "embeddings re-associate lost tracks (3: in every frame)")
    yield line("batchSize", choices.batch, "option", "--batch")
    yield line("workspaceSize", 1000, "choice", "MB that building may borrow")
    yield line("reidFeatureSize", facts.dimension, "bundle", "the embedding's width")
    yield line("reidHistorySize", 100, "choice", "embeddings kept per track")
    yield line("inferDims", (3, facts.height, facts.width), "bundle", "channels, height, width")
    yield line("networkMode", TRACKER_MODES[mode], "bundle", f"the graph is {mode}")
    yield line("inputOrder", 0, "bundle", "the graph takes planes (NCHW)")
    yield line("colorFormat", 0, "bundle", "the graph takes RGB")
    yield line("offsets", (0.0, 0.0, 0.0), "bundle", "the graph subtracts the mean")
    yield line("netScaleFactor", 1.0, "bundle", "the graph divides by the standard deviation")
    yield line("keepAspc", 0, "bundle", "the model was trained on stretched crops")
    why = "documented sampling; the built-in crop is not documented"
    yield line("useVPICropScaler", 1, "choice", why, "crop scaler")
    normalise = int(not facts.unit_length)
    length = "have length 1" if facts.unit_length else "have any length"
    why = f"the bundle's golden embeddings {length}"
    yield line("addFeatureNormalization", normalise, "bundle", why)
    yield line("outputReidTensor", 1, "choice", "embeddings as user meta")
    yield line("onnxFile", str(choices.place / ONNX), "bundle", f"variant {facts.variant.name}")
    engine = str(choices.place / engine_name(choices.batch, mode))
    yield line("modelEngineFile", engine, "bundle", "taken where it is there")
