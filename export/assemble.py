"""Puts a bundle together: golden crops and what each variant must answer, probe, model card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..core.bundle import Bundle, write_bundle
from ..core.data.synth.scene import Shot, World, render
from ..core.errors import InternalError
from ..core.golden import CROPS, array_bytes
from ..core.images import decode
from ..core.manifest import (
    GOLDEN_CROPS,
    PROBE_CROPS,
    PROBE_EMBEDDINGS,
    Bounds,
    Manifest,
    Model,
    Space,
    TensorSpec,
    Variant,
)
from .calibration import CalibrationSet
from .card import model_card
from .graph import EMBEDDING, IMAGES
from .graphs import Graphs, Written
from .judge import Judge, Judgement
from .quantise import Quantised
from .recipe import to_toml
from .source import Source

RECIPE, LOCK = "recipe.toml", "calib.lock"
BOUNDS: Mapping[str, Bounds] = {
    "fp32": Bounds(cosine_min=0.9999, norm_tolerance=1e-3),
    "fp16": Bounds(cosine_min=0.998, norm_tolerance=5e-3),
    "int8": Bounds(cosine_min=0.99, norm_tolerance=5e-3),
}
"""INT8 on a processor without VNNI saturates and was seen at 0.983: that must be refused."""


def assemble(
    path: Path,
    source: Source,
    calibration: CalibrationSet | None,
    quantised: Quantised | None,
    graphs: Graphs,
    judge: Judge,
    judgement: Judgement,
) -> Bundle:
    """Write the bundle; nothing in it depends on the clock or on this machine's speed."""
    crops = golden_crops(source, calibration)
    members: dict[str, bytes] = {
        GOLDEN_CROPS: array_bytes(crops),
        "accuracy.json": _json(_accuracy(judgement)),
        "README.md": model_card(source, calibration, quantised, graphs, judgement).encode(),
    }
    if judgement.thresholds is not None:
        members["thresholds.json"] = _json(judgement.thresholds.as_json())
    if quantised is not None:
        members[RECIPE] = to_toml(quantised.recipe).encode()
    if calibration is not None:
        members[LOCK] = calibration.lock(source.preprocess).encode()
    exact, rounded = judge.reference.embed(crops), judge.candidate.embed(crops)
    for graph in graphs.kept:
        answer = rounded if graph.precision == graphs.candidate.precision else exact
        members[f"variants/{graph.name}/model.onnx"] = graph.onnx
        members[f"golden/{graph.name}.npy"] = array_bytes(answer)
    members.update(_probe(source, judge, graphs))
    manifest = _manifest(source, calibration, graphs)
    return write_bundle(path, manifest, members)


def golden_crops(source: Source, calibration: CalibrationSet | None) -> NDArray[np.uint8]:
    """Synthetic unless the user chose data: crops of people are personal data."""
    if source.options.golden == "synthetic":
        world = World(seed=0, domain_name="campus", height=256, width=128)
        shots = (Shot("", person, person, 1 + person % 6, 0) for person in range(1, CROPS + 1))
        images = (decode(render(world, shot)[0], "a golden crop") for shot in shots)
        return np.stack([source.preprocess.resize(image) for image in images])
    samples = calibration.samples if calibration else source.dataset.train
    return source.crops(sorted(samples)[:CROPS])


def _probe(source: Source, judge: Judge, graphs: Graphs) -> Mapping[str, bytes]:
    if not source.options.probe:
        return {}
    order = np.random.default_rng([source.options.seed, 0x960BE]).permutation(
        len(source.dataset.train)
    )
    train = sorted(source.dataset.train)
    crops = source.crops([train[index] for index in sorted(order[: source.options.probe])])
    exact, rounded = judge.reference.embed(crops), judge.candidate.embed(crops)
    quantised = graphs.candidate.precision
    answers = {one.name: rounded if one.precision == quantised else exact for one in graphs.kept}
    return {
        PROBE_CROPS: array_bytes(crops),
        PROBE_EMBEDDINGS: array_bytes(exact),
        **{f"probe/{name}.npy": array_bytes(found) for name, found in answers.items()},
    }


def _manifest(
    source: Source,
    calibration: CalibrationSet | None,
    graphs: Graphs,
) -> Manifest:
    config = source.model.config
    return Manifest(
        tool=__version__,
        name=source.name,
        model=Model(source.name, config.to_dict()),
        preprocess=source.preprocess,
        space=Space(source.lineage, config.neck_feature, config.embedding),
        variants=tuple(_variant(source, graph) for graph in graphs.kept),
        golden_source=source.options.golden,
        probe_source="data" if source.options.probe else None,
        calibration=LOCK if calibration else None,
    )


def _variant(source: Source, graph: Written) -> Variant:
    height, width = source.preprocess.height, source.preprocess.width
    nhwc = graph.spec.input == "uint8-nhwc"
    shape: tuple[int | str, ...] = (
        ("batch", height, width, 3) if nhwc else ("batch", 3, height, width)
    )
    dimension = source.model.config.embedding
    return Variant(
        name=graph.name,
        kind=graph.kind.name,
        candidate="int8" if graph.precision == "int8" else "fp16",
        precision=graph.precision,
        opset=graph.spec.opset,
        inputs=(TensorSpec(IMAGES, "uint8" if nhwc else "float32", shape, "crops"),),
        outputs=(TensorSpec(EMBEDDING, "float32", ("batch", dimension), "embedding"),),
        bounds=BOUNDS[graph.precision],
        recipe=RECIPE if graph.precision == "int8" else None,
    )


def _accuracy(judgement: Judgement) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        "verdict": judgement.verdict.as_json(),
        "cosine": judgement.cosines.as_json(),
    }
    if judgement.accuracy is not None:
        changed = judgement.accuracy.flips
        found["retrieval"] = judgement.accuracy.scores.as_json()
        found["flips"] = {
            "right_to_wrong": len(changed.right_to_wrong),
            "wrong_to_right": len(changed.wrong_to_right),
        }
    return found


def _json(value: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
    except ValueError as problem:
        raise InternalError(f"a result holds a number JSON has no word for: {problem}") from problem
