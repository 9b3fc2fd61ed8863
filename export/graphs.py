"""Writes every graph a bundle needs, checks each, and keeps them as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InternalError
from ..core.manifest import Precision as Stored
from ..core.models.lineage import space_of
from . import overflow
from .graph import build_graph, serialise
from .graph_checks import check_graph, simplifier_agrees
from .graph_spec import GraphSpec
from .parity import Parity, parity, require_parity
from .quantise import Quantised
from .source import BATCH, Source
from .variants import VARIANTS, Target, VariantKind, kinds_for


@dataclass(frozen=True)
class Written:
    """One graph, checked."""

    name: str
    kind: VariantKind
    precision: Stored
    spec: GraphSpec
    onnx: bytes


@dataclass(frozen=True)
class Graphs:
    """`kept` go into the bundle; `reference` is the full-precision CPU graph that judges them."""

    reference: Written
    kept: tuple[Written, ...]
    parity: Parity
    magnitudes: overflow.Magnitudes | None

    def named(self, name: str) -> Written:
        return next(graph for graph in self.kept if graph.name == name)

    @property
    def candidate(self) -> Written:
        """The CPU graph whose engine is judged; it carries the same recipe as all others."""
        return next((one for one in self.kept if one.kind.name == "cpu"), self.reference)


def write_graphs(
    source: Source,
    quantised: Quantised | None,
    targets: Sequence[Target],
    crops: NDArray[np.uint8],
) -> Graphs:
    """The CPU graph is always among them: it is the one that this machine can run and judge."""
    cpu = VARIANTS["cpu"]
    kinds = (cpu, *(kind for kind in kinds_for(tuple(targets)) if kind.name != "cpu"))
    reference = _write(source, None, cpu)
    found = parity(source.model, source.preprocess, reference.onnx, reference.spec, crops)
    require_parity(found, reference.spec)
    _require_simplifier_agrees(reference)
    magnitudes = _refuse_overflow(source, quantised, kinds, crops)
    kept = tuple(_write(source, quantised, kind) for kind in kinds)
    return Graphs(reference, kept, found, magnitudes)


def _require_simplifier_agrees(reference: Written) -> None:
    """onnxsim reads the graph on its own and must compute the same from it."""
    import onnx

    if not simplifier_agrees(onnx.load_from_string(reference.onnx)):
        raise InternalError("onnxsim computes something else from the full-precision graph")


def write_form(source: Source, quantised: Quantised | None, spec: GraphSpec) -> bytes:
    """One checked graph in the form that `spec` describes."""
    model = quantised.model if quantised else source.model
    scales = quantised.scales if quantised else None
    space = space_of(source.model, spec.neck)
    made = build_graph(model, source.preprocess, spec, scales, space)
    check_graph(made)
    return serialise(made)


def _write(source: Source, quantised: Quantised | None, kind: VariantKind) -> Written:
    layers = quantised.recipe.int8_layers(source.model.config) if quantised else frozenset()
    spec = _spec(source, quantised, kind, layers)
    precision: Stored = "int8" if layers else spec.precision
    return Written(kind.name, kind, precision, spec, write_form(source, quantised, spec))


def _spec(
    source: Source, quantised: Quantised | None, kind: VariantKind, layers: frozenset[str]
) -> GraphSpec:
    spec = kind.spec(source.model.config.neck_feature, layers)
    wants_attention = quantised is not None and quantised.recipe.int8_attention
    if not wants_attention or kind.attention == "native":
        return spec
    return GraphSpec(spec.precision, spec.attention, spec.input, spec.neck, layers, True)


def _refuse_overflow(
    source: Source,
    quantised: Quantised | None,
    kinds: Sequence[VariantKind],
    crops: NDArray[np.uint8],
) -> overflow.Magnitudes | None:
    halves = [kind for kind in kinds if kind.precision == "fp16"]
    if not halves:
        return None
    model = quantised.model if quantised else source.model
    spec = VARIANTS["trt-decomposed"].spec(source.model.config.neck_feature)
    batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
    found = overflow.measure(model, source.preprocess, spec, None, batches)
    overflow.refuse_overflow(found)
    return found
