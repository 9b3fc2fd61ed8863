"""Puts a bundle together: what each variant must answer, verdicts, thresholds, model card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.bundle import Bundle, write_bundle
from ..core.errors import InternalError
from ..core.golden import array_bytes
from ..core.manifest import (
    GOLDEN_CROPS,
    PROBE_CROPS,
    PROBE_EMBEDDINGS,
    Bounds,
    Candidate,
    Manifest,
    Model,
    TensorSpec,
    Variant,
)
from .calibration import CalibrationSet
from .card import model_card
from .carried import Carried
from .graph import EMBEDDING, IMAGES
from .graphs import Written
from .judge import Judgement
from .recipe import to_toml
from .source import Source
from .trial import Answers, Trial

LOCK = "calib.lock"
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
    trials: Sequence[Trial],
    carried: Carried,
    exact: Answers,
) -> Bundle:
    """Write the bundle; nothing in it depends on the clock or on this machine's speed."""
    kept = [trial for trial in trials if trial.kept]
    members: dict[str, bytes] = {
        GOLDEN_CROPS: array_bytes(carried.golden),
        "accuracy.json": _json(_accuracy(trials)),
        "README.md": model_card(source, calibration, trials).encode(),
    }
    if found := _thresholds(kept):
        members["thresholds.json"] = _json(found)
    if calibration is not None:
        members[LOCK] = calibration.lock(source.preprocess).encode()
    if carried.probe is not None and exact.probe is not None:
        members[PROBE_CROPS] = array_bytes(carried.probe)
        members[PROBE_EMBEDDINGS] = array_bytes(exact.probe)
    for trial in kept:
        members.update(_members(source, trial, kept[0].candidate, exact))
    return write_bundle(path, _manifest(source, calibration, kept, carried), members)


def recipe_member(candidate: Candidate, default: Candidate) -> str:
    return "recipe.toml" if candidate == default else f"recipe-{candidate}.toml"


def _members(
    source: Source, trial: Trial, default: Candidate, exact: Answers
) -> Mapping[str, bytes]:
    members: dict[str, bytes] = {}
    if trial.quantised is not None:
        name = recipe_member(trial.candidate, default)
        members[name] = to_toml(trial.quantised.recipe).encode()
    for graph in trial.graphs:
        variant = _variant(source, graph, None)
        answers = _answers(trial, graph, exact)
        members[variant.member] = graph.onnx
        members[variant.golden] = array_bytes(answers.golden)
        if answers.probe is not None:
            members[variant.probe] = array_bytes(answers.probe)
    return members


def _answers(trial: Trial, graph: Written, exact: Answers) -> Answers:
    """An FP32 graph is the full-precision one; any other answers as the judged engine did."""
    if graph.precision == "fp32":
        return exact
    if trial.answers is None:
        raise InternalError(f"{graph.name} is to be written, but nothing of it was judged")
    return trial.answers


def _manifest(
    source: Source,
    calibration: CalibrationSet | None,
    kept: Sequence[Trial],
    carried: Carried,
) -> Manifest:
    config, options = source.model.config, source.options
    return Manifest(
        tool=__version__,
        name=source.name,
        model=Model(source.name, config.to_dict()),
        preprocess=source.preprocess,
        space=source.space,
        variants=tuple(_variants(source, kept)),
        golden_source=options.golden,
        probe_source=None if carried.probe is None else options.probe_crops,
        calibration=LOCK if calibration else None,
    )


def _variants(source: Source, kept: Sequence[Trial]) -> Iterable[Variant]:
    for trial in kept:
        recipe = recipe_member(trial.candidate, kept[0].candidate) if trial.quantised else None
        for graph in trial.graphs:
            yield _variant(source, graph, recipe)


def _variant(source: Source, graph: Written, recipe: str | None) -> Variant:
    height, width = source.preprocess.height, source.preprocess.width
    nhwc = graph.spec.input == "uint8-nhwc"
    shape: tuple[int | str, ...] = (
        ("batch", height, width, 3) if nhwc else ("batch", 3, height, width)
    )
    dimension = source.model.config.embedding
    return Variant(
        name=graph.name,
        kind=graph.kind.name,
        candidate=graph.candidate,
        precision=graph.precision,
        opset=graph.spec.opset,
        inputs=(TensorSpec(IMAGES, "uint8" if nhwc else "float32", shape, "crops"),),
        outputs=(TensorSpec(EMBEDDING, "float32", ("batch", dimension), "embedding"),),
        bounds=BOUNDS[graph.precision],
        recipe=recipe,
    )


def _accuracy(trials: Sequence[Trial]) -> Mapping[str, Any]:
    """The default candidate's at the top; every candidate's, also of those left out, by name."""
    found = {trial.candidate: _of_trial(trial) for trial in trials}
    return {**_of_judgement(trials[0].judgement), "candidates": found}


def _of_trial(trial: Trial) -> Mapping[str, Any]:
    facts = {
        "kept": trial.kept,
        "reason": trial.left_out,
        "judged": trial.judged_as,
        "int8_share": round(trial.share, 6),
    }
    return {**facts, **_of_judgement(trial.judgement)}


def _of_judgement(judgement: Judgement | None) -> dict[str, Any]:
    if judgement is None:
        return {}
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


def _thresholds(kept: Sequence[Trial]) -> Mapping[str, Any]:
    found = {
        trial.candidate: trial.judgement.thresholds.as_json()
        for trial in kept
        if trial.judgement is not None and trial.judgement.thresholds is not None
    }
    return {**found[kept[0].candidate], "candidates": found} if found else {}


def _json(value: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
    except ValueError as problem:
        raise InternalError(f"a result holds a number JSON has no word for: {problem}") from problem
