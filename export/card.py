"""The model card inside a bundle: what it is, how it was made, what was measured, what to mind."""

from __future__ import annotations

from .. import __version__
from ..benchmark.comparison import TABLE, summary
from .calibration import CalibrationSet
from .graphs import Graphs
from .judge import Judgement
from .quantise import Quantised
from .source import Source


def model_card(
    source: Source,
    calibration: CalibrationSet | None,
    quantised: Quantised | None,
    graphs: Graphs,
    judgement: Judgement,
) -> str:
    """Markdown, and the same on every run."""
    parts = [
        f"# {source.name}",
        _what(source),
        _variants(graphs),
        _making(calibration, quantised),
        f"## Verdict\n\n{judgement.verdict.sentence}",
        _retrieval(judgement),
        _mind(source, judgement),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what(source: Source) -> str:
    config, pixels = source.model.config, source.preprocess
    return (
        "A person re-identification transformer: it turns a crop of one person into a vector of "
        f"{config.embedding} values of length 1, and vectors of one person lie close.\n\n"
        f"- {config.depth} blocks of width {config.width}, {config.height_px}x{config.width_px} "
        f"pixels, embedding {config.neck_feature} the neck\n"
        f"- input: RGB crops as uint8, resized with {pixels.filter}"
        f"{' and antialiasing' if pixels.antialias else ''}; normalising is inside the graph\n"
        f"- weights {source.lineage[:16]}, written by PersonViT-Edge {__version__}"
    )


def _variants(graphs: Graphs) -> str:
    rows = [
        f"| {graph.name} | {graph.precision} | {graph.spec.opset} | {graph.kind.why} |"
        for graph in graphs.kept
    ]
    return "\n".join(
        ["## Variants", "", "| name | precision | opset | why |", "|---|---|---|---|", *rows]
    )


def _making(calibration: CalibrationSet | None, quantised: Quantised | None) -> str:
    if calibration is None or quantised is None:
        return ""
    recipe = quantised.recipe
    kept = ", ".join(recipe.high_precision) or "none"
    return (
        "## Quantisation\n\n"
        f"Ranges by {recipe.calibration} over {len(calibration.samples)} training crops "
        "(calib.lock); weights per output channel, activations per tensor, no residual sum and no "
        f"LayerNorm input. Linear layers kept in higher precision: {kept} (recipe.toml)."
    )


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


def _mind(source: Source, judgement: Judgement) -> str:
    lines = [
        "Embeddings identify people; treat them, and galleries of them, as personal data.",
        "Only vectors of one space (`space` in manifest.json) may be compared.",
    ]
    if judgement.verdict.kind == "agreement":
        lines.append("Agreement with the full-precision model was measured, not accuracy.")
    if source.is_synthetic:
        lines.append(
            "It was measured on synthetic pedestrians, which says nothing about real people."
        )
    return "## To keep in mind\n\n" + "\n".join(f"- {line}" for line in lines)
