"""Writes every graph a bundle needs, checks each, and keeps them as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, InternalError
from ..core.manifest import Candidate, precision_of, variant_name
from ..core.manifest import Precision as Stored
from . import overflow
from .candidates import kinds_of
from .graph import build_graph, serialise
from .graph_checks import check_graph, simplifier_agrees
from .graph_spec import GraphSpec
from .parity import Parity, parity, require_parity
from .quantise import Quantised
from .source import BATCH, Source
from .variants import VARIANTS, Target, VariantKind, kinds_for

if TYPE_CHECKING:
    from ..core.models.vit import ReidVit


Recipes = Mapping[Candidate, Quantised | None]
"""Every candidate, the default first; None where nothing is quantised."""


@dataclass(frozen=True)
class Written:
    """One graph, checked."""

    name: str
    kind: VariantKind
    candidate: Candidate
    precision: Stored
    spec: GraphSpec
    onnx: bytes


@dataclass(frozen=True)
class Graphs:
    """`made` may go into the bundle; `judged` are what this machine scores them by."""

    reference: Written
    """The full-precision CPU graph, which judges all others."""
    made: tuple[Written, ...]
    judged: Mapping[Candidate, Written]
    """By candidate; the default first."""
    left_out: Mapping[Candidate, str]
    """Candidates that were not written, and why."""
    parity: Parity
    magnitudes: overflow.Magnitudes | None

    @property
    def default(self) -> Candidate:
        return next(iter(self.judged))

    def of(self, candidate: Candidate) -> tuple[Written, ...]:
        return tuple(graph for graph in self.made if graph.candidate == candidate)

    def native(self, candidate: Candidate) -> Written | None:
        """The graph with Attention operators, whose fusion can be proved."""
        return next((one for one in self.of(candidate) if one.kind.attention == "native"), None)


def write_graphs(
    source: Source, recipes: Recipes, targets: Sequence[Target], crops: NDArray[np.uint8]
) -> Graphs:
    """The CPU graph is always among them: it is the one that this machine can run and judge."""
    cpu = VARIANTS["cpu"]
    kinds = (cpu, *(kind for kind in kinds_for(tuple(targets)) if kind.name != "cpu"))
    halves = any(kind.precision == "fp16" for kind in kinds)
    reference = _reference(source)
    found = parity(source.model, source.preprocess, reference.onnx, reference.spec, crops)
    require_parity(found, reference.spec)
    _require_simplifier_agrees(reference)
    magnitudes = _require_no_overflow(source, recipes, crops) if halves else None
    left_out = _left_out(source, recipes, crops, halves)
    fit = [candidate for candidate in recipes if candidate not in left_out]
    default = next(iter(recipes))
    made = tuple(
        _write(source, recipes[candidate], kind, candidate, default)
        for candidate in fit
        for kind in kinds_of(candidate, kinds)
    )
    judged: dict[Candidate, Written] = {one.candidate: one for one in made if one.kind == cpu}
    if halves and "fp16" in fit:
        judged["fp16"] = _rounded(source)
    return Graphs(reference, made, judged, left_out, found, magnitudes)


def write_form(source: Source, quantised: Quantised | None, spec: GraphSpec) -> bytes:
    """One checked graph in the form that `spec` describes."""
    model = quantised.model if quantised else source.model
    scales = quantised.scales if quantised else None
    space = source.space.derived_id()
    made = build_graph(model, source.preprocess, spec, scales, space)
    check_graph(made)
    return serialise(made)


def _require_simplifier_agrees(reference: Written) -> None:
    """onnxsim reads the graph on its own and must compute the same from it."""
    import onnx

    if not simplifier_agrees(onnx.load_from_string(reference.onnx)):
        raise InternalError("onnxsim computes something else from the full-precision graph")


def _reference(source: Source) -> Written:
    cpu = VARIANTS["cpu"]
    spec = cpu.spec(source.model.config.neck_feature)
    onnx = write_form(source, None, spec)
    return Written("reference", cpu, "fp16", "fp32", spec, onnx)


def _rounded(source: Source) -> Written:
    """What stands for FP16 on this machine, whose CPU has no FP16 arithmetic."""
    cpu = VARIANTS["cpu"]
    spec = replace(cpu.spec(source.model.config.neck_feature), rounded=True)
    onnx = write_form(source, None, spec)
    return Written("fp16-weights", cpu, "fp16", "fp32", spec, onnx)


def _write(
    source: Source,
    quantised: Quantised | None,
    kind: VariantKind,
    candidate: Candidate,
    default: Candidate,
) -> Written:
    spec = _spec(source, quantised, kind)
    name = variant_name(kind.name, candidate, default)
    precision = precision_of(kind.name, candidate)
    return Written(name, kind, candidate, precision, spec, write_form(source, quantised, spec))


def _spec(source: Source, quantised: Quantised | None, kind: VariantKind) -> GraphSpec:
    neck = source.model.config.neck_feature
    if quantised is None:
        return kind.spec(neck)
    attention = quantised.recipe.int8_attention and kind.attention == "decomposed"
    return replace(kind.spec(neck, quantised.layers), int8_attention=attention)


def _require_no_overflow(
    source: Source, recipes: Recipes, crops: NDArray[np.uint8]
) -> overflow.Magnitudes:
    """The default candidate's FP16 graphs must hold every value."""
    found = _magnitudes(source, next(iter(recipes.values())), crops)
    overflow.refuse_overflow(found)
    return found


def _left_out(
    source: Source, recipes: Recipes, crops: NDArray[np.uint8], halves: bool
) -> dict[Candidate, str]:
    """Candidates that are nothing of their own, or whose FP16 graphs would overflow."""
    first, *others = recipes.items()
    reasons: dict[Candidate, str] = {}
    for candidate, quantised in others:
        if quantised and first[1] and quantised.recipe == first[1].recipe:
            reasons[candidate] = f"its recipe is the same as that of {first[0]}"
        elif halves and _model(source, quantised) is not _model(source, first[1]):
            try:
                overflow.refuse_overflow(_magnitudes(source, quantised, crops))
            except ConfigError as problem:
                reasons[candidate] = str(problem)
    return reasons


def _magnitudes(
    source: Source, quantised: Quantised | None, crops: NDArray[np.uint8]
) -> overflow.Magnitudes:
    spec = VARIANTS["trt-decomposed"].spec(source.model.config.neck_feature)
    batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
    return overflow.measure(_model(source, quantised), source.preprocess, spec, None, batches)


def _model(source: Source, quantised: Quantised | None) -> ReidVit:
    return quantised.model if quantised else source.model
