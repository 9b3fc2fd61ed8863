"""A variant: one candidate's graph for one kind of runtime, and what it may be called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["cpu", "trt-decomposed", "trt-attention", "deepstream"]
Candidate = Literal["int8", "fp16", "int8-attention", "mixed"]
Precision = Literal["int8", "fp16", "fp32"]

PROBE = "probe/"


@dataclass(frozen=True)
class TensorSpec:
    """A graph's input or output; an axis that may have any size has a name."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    meaning: str
    space: str | None = None


@dataclass(frozen=True)
class Bounds:
    """How far an engine's answer to a golden crop may lie from the expected one."""

    cosine_min: float
    norm_tolerance: float
    """The largest allowed |length / expected length - 1|."""


@dataclass(frozen=True)
class Variant:
    """One graph for one kind of runtime.

    `candidate` is what a device chooses among; the first variant's is the bundle's default, whose
    variants are named after their kind alone.
    """

    name: str
    kind: Kind
    candidate: Candidate
    precision: Precision
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    bounds: Bounds
    recipe: str | None = None
    """The member that says how it is quantised."""
    encoder_id: str = ""

    @property
    def member(self) -> str:
        return f"variants/{self.name}/model.onnx"

    @property
    def golden(self) -> str:
        return f"golden/{self.name}.npy"

    @property
    def probe(self) -> str:
        return f"{PROBE}{self.name}.npy"


def variant_name(kind: Kind, candidate: Candidate, default: Candidate) -> str:
    """A variant's name: its kind, and its candidate unless that is the bundle's default."""
    return kind if candidate == default else f"{kind}-{candidate}"


def precision_of(kind: Kind, candidate: Candidate) -> Precision:
    """CPUs run FP16-typed graphs slowly, so the full-precision candidate is FP32 for them."""
    if candidate != "fp16":
        return "int8"
    return "fp32" if kind == "cpu" else "fp16"


def contradictions_in_candidate(variant: Variant, where: str) -> Iterator[tuple[str, str]]:
    wanted = precision_of(variant.kind, variant.candidate)
    if variant.precision != wanted:
        what = f"the candidate {variant.candidate} for {variant.kind} is {wanted}"
        yield f"{where}.precision", f"{what}, not {variant.precision}"
    if variant.kind == "trt-attention" and variant.candidate == "int8-attention":
        yield f"{where}.candidate", "the Attention operator has no place for a quantised softmax"
    if variant.recipe is not None and variant.precision != "int8":
        yield f"{where}.recipe", f"a graph in {variant.precision} is not quantised"
