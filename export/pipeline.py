"""`personvit-export`: from weights and crops to a bundle whose engine was scored on retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..benchmark.gate import Gate
from ..benchmark.latency import Latency, race
from ..benchmark.report import Setting
from ..benchmark.report_data import ReportData
from ..core.errors import ConfigError, GateFailure, GateUndecided
from ..core.files import refuse_unwritable
from ..engines.tensorrt_build import BuildRequest
from .assemble import assemble
from .fusion import FusionProof, prove
from .graphs import Graphs, write_form, write_graphs
from .judge import Judge, Judgement
from .options import ExportOptions
from .quantise import Quantised, quantise
from .report import report_data, write_report
from .source import Source, open_source
from .stages import Stages
from .variants import Target, targets_named
from .workspace import Workspace

SUFFIX = ".pvb"
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
        }

    def as_text(self) -> str:
        sizes = "\n".join(f"  {name:16s} {size / 1e6:7.1f} MB" for name, size in self.kept.items())
        speed = f"\n{self.data.latency.as_text()}" if self.data.latency else ""
        return (
            f"{self.data.verdict.as_text()}\n\n{sizes}{speed}\n\n"
            f"Bundle  {self.bundle}  sha256 {self.digest}\nReport  {self.report}"
        )


def export(options: ExportOptions) -> Exported:
    """Run every stage; the bundle appears whole, and only if its gate passes."""
    out, targets = _checked(options)
    workspace = Workspace(out.with_suffix(".work"))
    setting = Setting()
    stages = Stages(7 if options.int8 else 6)
    with stages.stage("read weights and data set"):
        source = open_source(options)
        crops = source.calibration()
    quantised = None
    if options.int8:
        with stages.stage("calibrate and rehearse"):
            quantised = quantise(source, crops, workspace, stages.progress)
    with stages.stage("write and check graphs"):
        sample = source.crops(crops.samples[:PARITY_CROPS])
        graphs = write_graphs(source, quantised, targets, sample)
    with stages.stage("prove fusion"):
        proof = _proof(source, quantised, graphs, targets)
    with Judge(source, graphs, workspace) as judge:
        with stages.stage("score the built engine"):
            judgement = judge.judge(crops)
        with stages.stage("time the engines"):
            latency = _latency(judge, sample) if options.latency else None
        data = report_data(
            source, quantised, graphs, judgement, proof, targets, latency, stages.seconds, setting
        )
        report = out.with_suffix(".report")
        write_report(report, data, graphs, quantised)
        _require_pass(judgement, report)
        with stages.stage("write the bundle"):
            calibration = crops if quantised else None
            made = assemble(out, source, calibration, quantised, graphs, judge, judgement)
    workspace.remove()
    kept = {f"{one.name} ({one.precision})": len(one.onnx) for one in graphs.kept}
    return Exported(out, report / "report.html", made.digest, data, kept)


def _checked(options: ExportOptions) -> tuple[Path, tuple[Target, ...]]:
    """Every mistake that can be seen without work."""
    if options.out is None:
        raise ConfigError("say where the bundle goes: -o OUT.pvb")
    if options.out.suffix != SUFFIX:
        raise ConfigError(f"{options.out}: a bundle's name ends in {SUFFIX}")
    refuse_unwritable(options.out)
    if options.gate != "agreement":
        Gate.parse(options.gate)
    if options.recipe is not None and not options.int8:
        raise ConfigError("--recipe is for quantising; give --int8 too")
    if 0 < options.probe < 200:
        raise ConfigError(f"{options.probe} probe crops show nothing; give 200 or more, or 0")
    BuildRequest(_architectures(options))
    return options.out, targets_named(options.target)


def _architectures(options: ExportOptions) -> tuple[str, ...]:
    return tuple(one.strip() for one in options.arch.split(",") if one.strip())


def _proof(
    source: Source,
    quantised: Quantised | None,
    graphs: Graphs,
    targets: Sequence[Target],
) -> FusionProof | None:
    if not any(target.proof == "here" for target in targets):
        return None
    native = graphs.named("trt-attention")
    refused = write_form(source, quantised, replace(native.spec, precision="fp32"))
    arches = _architectures(source.options)
    return prove(native.onnx, refused, source.model.config.depth, arches)


def _latency(judge: Judge, sample: NDArray[np.uint8]) -> Latency:
    batches = {size: sample[:size] for size in LATENCY_BATCHES}
    contenders = {
        f"OpenVINO {judge.reference.info().precision}": judge.reference.embed,
        f"OpenVINO {judge.candidate.info().precision}": judge.candidate.embed,
    }
    return race(contenders, batches, rounds=LATENCY_ROUNDS)


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
