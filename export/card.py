"""The model card inside a bundle: what it is, how it was made, what was measured, what to mind."""

from __future__ import annotations

from collections.abc import Sequence

from .. import __version__
from ..benchmark.comparison import TABLE, summary
from .calibration import CalibrationSet
from .candidates import NOT_NATIVE, WHAT
from .judge import Judgement
from .quantise import Quantised
from .source import Source
from .trial import Trial


def model_card(source: Source, calibration: CalibrationSet | None, trials: Sequence[Trial]) -> str:
    """Markdown, and the same on every run."""
    default = trials[0]
    parts = [
        f"# {source.name}",
        _what(source),
        _variants(trials),
        _making(calibration, default.quantised),
        *(_verdict(default.judgement) if default.judgement else ()),
        _candidates(trials) if len(trials) > 1 else "",
        _mind(source, default.judgement),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what(source: Source) -> str:
    config, pixels = source.model.config, source.preprocess
    kind = "network" if config.convolutional else "transformer"
    return (
        f"A person re-identification {kind}: it turns a crop of one person into a vector of "
        f"{config.embedding} values of length 1, and vectors of one person lie close."
        f"{_shared(source)}\n\n"
        f"- {config.title}, {config.height_px}x{config.width_px} "
        f"pixels, embedding {config.neck_feature} the neck\n"
        f"- input: RGB crops as uint8, resized with {pixels.filter}"
        f"{' and antialiasing' if pixels.antialias else ''}; normalising is inside the graph\n"
        f"- weights {source.lineage[:16]}, written by PersonViT-Edge {__version__}"
    )


def _shared(source: Source) -> str:
    if source.space.lineage == source.lineage:
        return ""
    return (
        " It was taught to answer in the space of the weights "
        f"{source.space.lineage[:16]}, so its queries may search that model's gallery."
    )


def _variants(trials: Sequence[Trial]) -> str:
    rows = [
        f"| {graph.name} | {graph.precision} | {graph.spec.opset} | {graph.kind.why} |"
        for trial in trials
        if trial.kept
        for graph in trial.graphs
    ]
    return "\n".join(
        ["## Variants", "", "| name | precision | opset | why |", "|---|---|---|---|", *rows]
    )


def _making(calibration: CalibrationSet | None, quantised: Quantised | None) -> str:
    if quantised is None:
        return ""
    recipe = quantised.recipe
    kept = ", ".join(recipe.high_precision) or "none"
    ranges = "Ranges from training in INT8 (quantisation-aware), not recalibrated"
    if calibration is not None and recipe.calibration != "training":
        count = len(calibration.samples)
        ranges = f"Ranges by {recipe.calibration} over {count} training crops (calib.lock)"
    return (
        "## Quantisation\n\n"
        f"{ranges}; weights per output channel, activations per tensor, no residual sum and no "
        f"LayerNorm input. Layers kept in higher precision: {kept} (recipe.toml)."
    )


def _verdict(judgement: Judgement) -> list[str]:
    return [f"## Verdict\n\n{judgement.verdict.sentence}", _retrieval(judgement)]


def _candidates(trials: Sequence[Trial]) -> str:
    """Each with its own verdict; a device takes the fastest that agrees with this machine."""
    lines = []
    for trial in trials:
        verdict = trial.judgement.verdict.sentence if trial.judgement else ""
        found = verdict if trial.kept else f"left out: {trial.left_out}"
        lines.append(
            f"- **{trial.candidate}**: {WHAT[trial.candidate]}; {trial.share:.0%} of the matrix "
            f"work in INT8. Judged: {trial.judged_as}. {found}"
        )
    head = (
        f"## Candidates\n\nThe default is {trials[0].candidate}. A device builds them all and "
        "serves the fastest that agrees with what the exporting machine computed."
    )
    native = any(graph.kind.attention == "native" for trial in trials for graph in trial.graphs)
    if native and any(trial.candidate == "int8-attention" for trial in trials):
        lines += ["", NOT_NATIVE]
    return "\n".join([head, "", *lines])


def _retrieval(judgement: Judgement) -> str:
    if judgement.accuracy is None:
        return ""
    scores = judgement.accuracy.scores
    before, after = summary(scores.reference), summary(scores.candidate)
    rows = [
        f"| {title} | {100 * before[key]:.2f} | {100 * after[key]:.2f} |" for key, title in TABLE
    ]
    head = ["| % | full precision | this bundle |", "|---|---:|---:|"]
    return "\n".join([*head, *rows])


def _mind(source: Source, judgement: Judgement | None) -> str:
    lines = [
        "Embeddings identify people; treat them, and galleries of them, as personal data.",
        "Only vectors of one space (`space` in manifest.json) may be compared.",
    ]
    if judgement and judgement.verdict.kind == "agreement":
        lines.append("Agreement with the full-precision model was measured, not accuracy.")
    if source.is_synthetic:
        lines.append(
            "It was measured on synthetic pedestrians, which says nothing about real people."
        )
    return "## To keep in mind\n\n" + "\n".join(f"- {line}" for line in lines)
