"""`personvit-export`: from weights and crops to a bundle whose engine was scored on retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..benchmark.latency import Latency, race
from ..benchmark.report import Setting
from ..benchmark.report_data import ReportData
from ..core.errors import GateFailure, GateUndecided, InternalError
from ..core.manifest import Candidate
from .assemble import assemble
from .carried import carried_crops
from .checks import Order, checked, require_possible
from .embedder import Embedder
from .fusion import FusionProof, prove
from .graphs import Graphs, write_form, write_graphs
from .judge import Judgement
from .options import ExportOptions
from .quantise import quantise
from .recipe import Recipe
from .report import report_data, write_report
from .score import answers_of, score
from .source import Source, open_source
from .stages import Stages
from .trial import Trial
from .workspace import Workspace

LATENCY_BATCHES = (1, 8)
LATENCY_ROUNDS = 12
PARITY_CROPS = 40


@dataclass(frozen=True)
class Exported:
    """A bundle and the report beside it."""

    bundle: Path
    report: Path
    digest: str
    data: ReportData
    kept: Mapping[str, int]

    def as_json(self) -> Mapping[str, Any]:
        return {
            "bundle": str(self.bundle),
            "sha256": self.digest,
            "report": str(self.report),
            "verdict": self.data.verdict.as_json(),
            "variants": dict(self.kept),
            "candidates": {
                row.name: {"kept": not row.reason, "reason": row.reason}
                for row in self.data.candidates
            },
        }

    def as_text(self) -> str:
        width = max(map(len, self.kept))
        sizes = "\n".join(
            f"  {name:{width}s} {size / 1e6:7.1f} MB" for name, size in self.kept.items()
        )
        for row in self.data.candidates:
            sizes += f"\n  {row.name} is left out: {row.reason}" if row.reason else ""
        speed = f"\n{self.data.latency.as_text()}" if self.data.latency else ""
        return (
            f"{self.data.verdict.as_text()}\n\n{sizes}{speed}\n\n"
            f"Bundle  {self.bundle}  sha256 {self.digest}\nReport  {self.report}"
        )


def export(options: ExportOptions) -> Exported:
    """Run every stage; the bundle appears whole, and only if its gate passes."""
    order = checked(options)
    out = order.out
    workspace = Workspace(out.with_suffix(".work"))
    setting = Setting()
    stages = Stages(5 + options.int8 + options.latency)
    with stages.stage("read weights and data set"):
        source = open_source(options)
        require_possible(source.model.config, order)
        crops = source.calibration()
    recipes: dict[Candidate, Any] = dict.fromkeys(order.candidates)
    if options.int8:
        with stages.stage("calibrate and rehearse"):
            recipes |= quantise(source, crops, workspace, stages.progress, order.candidates)
    with stages.stage("write and check graphs"):
        sample = source.crops(crops.samples[:PARITY_CROPS])
        graphs = write_graphs(source, recipes, order.targets, sample)
        carried = carried_crops(source, crops, order.probe)
    with Embedder(graphs.reference, source, workspace) as reference:
        with stages.stage("score the built engines"):
            trials = score(source, recipes, graphs, reference, crops, carried, workspace)
            exact = answers_of(reference, carried)
        latency = None
        if options.latency:
            built = graphs.judged[graphs.default]
            with stages.stage("time the engines"), Embedder(built, source, workspace) as default:
                latency = _latency(reference, default, sample)
    with stages.stage("prove fusion"):
        proofs = _proofs(source, trials, graphs, order)
    judgement = _of_default(trials)
    data = report_data(
        source, graphs, trials, judgement, proofs, order.targets, latency, stages.seconds, setting
    )
    report = out.with_suffix(".report")
    write_report(report, data, graphs, trials)
    _require_pass(judgement, report)
    with stages.stage("write the bundle"):
        used = crops if any(recipe.looks_at_crops for recipe in _recipes(trials)) else None
        made = assemble(out, source, used, trials, carried, exact)
    workspace.remove()
    kept = {
        f"{one.name} ({one.precision})": len(one.onnx)
        for trial in trials
        if trial.kept
        for one in trial.graphs
    }
    return Exported(out, report / "report.html", made.digest, data, kept)


def _recipes(trials: tuple[Trial, ...]) -> list[Recipe]:
    return [trial.quantised.recipe for trial in trials if trial.quantised is not None]


def _proofs(
    source: Source, trials: tuple[Trial, ...], graphs: Graphs, order: Order
) -> dict[Candidate, FusionProof]:
    """For every graph with Attention that a target of this kind may get."""
    proofs: dict[Candidate, FusionProof] = {}
    if not any(target.proof == "here" for target in order.targets):
        return proofs
    for trial in trials:
        native = graphs.native(trial.candidate)
        if native is not None and trial.kept:
            spec = replace(native.spec, precision="fp32")
            refused = write_form(source, trial.quantised, spec)
            depth = source.model.config.depth
            proofs[trial.candidate] = prove(native.onnx, refused, depth, order.architectures)
    return proofs


def _latency(reference: Embedder, candidate: Embedder, sample: NDArray[np.uint8]) -> Latency:
    """The default candidate only: what a GPU makes of the others cannot be timed here."""
    batches = {size: sample[:size] for size in LATENCY_BATCHES}
    contenders = {
        f"OpenVINO {side.info.precision}": side.engine.embed for side in (reference, candidate)
    }
    return race(contenders, batches, rounds=LATENCY_ROUNDS)


def _of_default(trials: tuple[Trial, ...]) -> Judgement:
    judgement = trials[0].judgement
    if judgement is None:
        raise InternalError("the default candidate was not judged")
    return judgement


def _require_pass(judgement: Judgement, report: Path) -> None:
    verdict = judgement.verdict
    if verdict.decision == "fail":
        raise GateFailure(
            f"{verdict.sentence} No bundle was written; {report}/report.html shows the best "
            "recipe found and what it costs"
        )
    if verdict.decision == "undecided":
        raise GateUndecided(
            f"{verdict.sentence} No bundle was written; the report is in {report}. "
            "Give more queries, or a wider margin with --gate"
        )
