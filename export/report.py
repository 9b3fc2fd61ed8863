"""Gathers what an export measured into the report that lies beside its bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..benchmark.comparison import top_matches, worst_changed
from ..benchmark.latency import Latency
from ..benchmark.page import write_page
from ..benchmark.page_markdown import as_markdown
from ..benchmark.pairs import PairScores
from ..benchmark.report import Setting, reproducing
from ..benchmark.report_data import (
    Answer,
    CandidateRow,
    ChangedQuery,
    FusionProof,
    Histogram,
    ReportData,
    ScoreShares,
    Sensitivity,
    Variant,
)
from ..core.files import write_atomically
from ..core.images import read_image
from ..core.manifest import Candidate
from .assemble import recipe_member
from .candidates import NOT_NATIVE, WHAT
from .fusion import FusionProof as Proof
from .graphs import Graphs
from .judge import Accuracy, Judgement
from .quantise import Quantised
from .recipe import save_recipe
from .source import Source
from .trial import Trial
from .variants import Target

COMMAND = "personvit-export"
BINS = 80
CHANGED = 6
ANSWERS = 5


def report_data(
    source: Source,
    graphs: Graphs,
    trials: Sequence[Trial],
    judgement: Judgement,
    proofs: Mapping[Candidate, Proof],
    targets: Sequence[Target],
    latency: Latency | None,
    stages: Sequence[tuple[str, float]],
    setting: Setting,
) -> ReportData:
    """Everything the page shows; it computes nothing itself. `judgement` is the default's."""
    accuracy, quantised = judgement.accuracy, trials[0].quantised
    return ReportData(
        title=source.name,
        verdict=judgement.verdict,
        subject=_subject(source),
        after=graphs.default.upper(),
        variants=_variants(trials),
        candidates=tuple(_candidate(trial, trials[0]) for trial in trials),
        size_before=len(graphs.reference.onnx),
        scores=accuracy.scores if accuracy else None,
        flips=accuracy.flips if accuracy else None,
        latency=latency,
        thresholds=judgement.thresholds,
        score_shares=_score_shares(judgement.pairs) if judgement.pairs else None,
        cosines=judgement.cosines,
        cosine_shares=_cosine_shares(judgement.cosine_values),
        sensitivity=_sensitivity(quantised),
        fusion=_fusion(proofs, graphs, targets),
        changed=_changed(source, accuracy) if accuracy else (),
        stages=tuple(stages),
        setting=setting,
        command=reproducing(COMMAND, source.options),
        facts=_facts(source, quantised, judgement),
        notes=_notes(source, judgement, trials),
    )


def write_report(folder: Path, data: ReportData, graphs: Graphs, trials: Sequence[Trial]) -> None:
    """HTML for a person, Markdown for a review, JSON for a program, the recipe for next time."""
    write_page(folder / "report.html", data)
    write_atomically(folder / "report.md", as_markdown(data))
    write_atomically(folder / "report.json", json.dumps(_json(data, graphs), indent=2) + "\n")
    for trial in trials:
        if trial.quantised is not None:
            name = recipe_member(trial.candidate, trials[0].candidate)
            save_recipe(folder / name, trial.quantised.recipe)


def _subject(source: Source) -> str:
    config = source.model.config
    people = "synthetic pedestrians, which are not people" if source.is_synthetic else "crops"
    return (
        f"{config.title} for {config.height_px}x{config.width_px} "
        f"pixels, judged on {source.dataset.name}: {people}."
    )


def _variants(trials: Sequence[Trial]) -> tuple[Variant, ...]:
    return tuple(
        Variant(one.name, f"opset {one.spec.opset}", one.precision, len(one.onnx), one.kind.why)
        for trial in trials
        if trial.kept
        for one in trial.graphs
    )


def _candidate(trial: Trial, default: Trial) -> CandidateRow:
    verdict = trial.judgement.verdict if trial.judgement else None
    return CandidateRow(
        name=trial.candidate,
        what=WHAT[trial.candidate],
        place=_place(trial, default),
        decision=verdict.decision if verdict else None,
        change=verdict.checks[0] if verdict else None,
        cosines=trial.judgement.cosines if trial.judgement else None,
        int8_share=trial.share,
        size=len(trial.shown.onnx) if trial.shown else None,
        judged=trial.judged_as,
        reason=trial.left_out,
    )


def _place(trial: Trial, default: Trial) -> str:
    if not trial.kept:
        return "left out"
    if default.judgement is None or default.judgement.verdict.decision != "pass":
        return "no bundle"
    return "default" if trial is default else "yes"


def _score_shares(pairs: tuple[PairScores, PairScores]) -> ScoreShares:
    (g0, i0), (g1, i1) = (side.shares(BINS) for side in pairs)
    return ScoreShares(*(Histogram(-1.0, 1.0, tuple(part.tolist())) for part in (g0, g1, i0, i1)))


def _cosine_shares(values: NDArray[np.float64]) -> Histogram:
    low = float(np.floor(values.min() * 100) / 100)
    counts, _ = np.histogram(values, bins=BINS, range=(min(low, 0.99), 1.0))
    return Histogram(min(low, 0.99), 1.0, tuple((counts / len(values)).tolist()))


def _sensitivity(quantised: Quantised | None) -> tuple[Sensitivity, ...]:
    if quantised is None:
        return ()
    kept = set(quantised.recipe.high_precision)
    return tuple(
        Sensitivity(row.layer, row.damage.error, row.layer in kept) for row in quantised.ranking
    )


def _fusion(
    proofs: Mapping[Candidate, Proof], graphs: Graphs, targets: Sequence[Target]
) -> tuple[FusionProof, ...]:
    native = {candidate: graphs.native(candidate) for candidate in proofs}
    rows = [
        FusionProof(
            architecture=f"SM {one.capability}",
            variant=graph.name,
            proved=one.proved,
            built="builds" not in one.failed,
            attention_nodes=proofs[candidate].attentions,
            expected_nodes=proofs[candidate].expected,
            decomposable_nodes=int("none marked decomposable" in one.failed),
            fp32_refused="FP32 form refused" not in one.failed,
            note=one.log,
        )
        for candidate, graph in native.items()
        if graph is not None
        for one in proofs[candidate].architectures
    ]
    rows += [
        FusionProof(target.name, target.variant, None, note=target.title)
        for target in targets
        if target.proof == "at install"
    ]
    return tuple(rows)


def _changed(source: Source, accuracy: Accuracy) -> tuple[ChangedQuery, ...]:
    worst = worst_changed(accuracy.scores.reference, accuracy.scores.candidate, CHANGED)
    before = top_matches(accuracy.reference, accuracy.labels, worst, ANSWERS)
    after = top_matches(accuracy.candidate, accuracy.labels, worst, ANSWERS)
    dataset = source.dataset

    def answers(matches: Any) -> tuple[Answer, ...]:
        pairs = zip(matches.gallery, matches.right, strict=True)
        return tuple(
            Answer(read_image(dataset.root / dataset.gallery[index].path), right)
            for index, right in pairs
        )

    old, new = (
        side.per_query["mean_ap"] for side in (accuracy.scores.reference, accuracy.scores.candidate)
    )
    return tuple(
        ChangedQuery(
            name=dataset.query[query].path,
            picture=read_image(dataset.root / dataset.query[query].path),
            before_ap=float(old[query]),
            after_ap=float(new[query]),
            before=answers(first),
            after=answers(second),
        )
        for query, first, second in zip(worst, before, after, strict=True)
    )


def _facts(source: Source, quantised: Quantised | None, judgement: Judgement) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "data": str(source.dataset.root),
        "weights": source.lineage[:16],
        "seed": source.options.seed,
        "reference engine": judgement.engines[0].as_text(),
        "judged engine": judgement.engines[1].as_text(),
    }
    if quantised is not None:
        recipe, damage = quantised.recipe, quantised.damage
        facts["ranges"] = recipe.ranges_from(source.options.calibration_crops)
        facts["kept in higher precision"] = ", ".join(recipe.high_precision) or "nothing"
        if damage is not None:
            facts["rehearsal"] = (
                f"mean 1 - cosine {damage.error:.5f}, worst percent {damage.worst:.5f}, "
                f"margin {-damage.margin_loss:+.5f}"
            )
    return facts


def _notes(source: Source, judgement: Judgement, trials: Sequence[Trial]) -> tuple[str, ...]:
    notes = [note for info in judgement.engines for note in info.notes]
    if len(trials) == 1:
        notes.append(f"Judged as: {trials[0].judged_as}.")
    native = any(graph.kind.attention == "native" for trial in trials for graph in trial.graphs)
    if native and any(trial.candidate == "int8-attention" for trial in trials):
        notes.append(NOT_NATIVE)
    if source.is_synthetic:
        notes.append("Synthetic pedestrians are not people: no figure here is one for people.")
    if source.bad:
        notes.append(f"{len(source.bad)} images could not be read and were left out.")
    return tuple(dict.fromkeys(notes))


def _json(data: ReportData, graphs: Graphs) -> dict[str, Any]:
    """The same facts for a program; pictures and histograms stay in the page."""
    made = {one.name: {"precision": one.precision, "bytes": one.size} for one in data.variants}
    found: dict[str, Any] = {
        "schema": 1,
        "version": __version__,
        "title": data.title,
        "command": data.command,
        "verdict": data.verdict.as_json(),
        "variants": made,
        "candidates": {row.name: _row(row) for row in data.candidates},
        "parity": graphs.parity.as_json(),
        "facts": dict(data.facts),
        "notes": list(data.notes),
        "seconds": dict(data.stages),
    }
    parts = {
        "retrieval": data.scores,
        "cosine": data.cosines,
        "thresholds": data.thresholds,
        "latency": data.latency,
        "largest values": graphs.magnitudes,
    }
    return found | {name: part.as_json() for name, part in parts.items() if part is not None}


def _row(row: CandidateRow) -> dict[str, Any]:
    found = {key: value for key, value in asdict(row).items() if key != "name"}
    return found | {"cosines": row.cosines.as_json() if row.cosines else None}
