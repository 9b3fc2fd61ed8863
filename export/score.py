"""Scores every candidate by the engine this machine can build of it; the default one first."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.manifest import Candidate
from .calibration import CalibrationSet
from .carried import Carried
from .embedder import Embedder
from .graphs import Graphs, Recipes
from .judge import judge
from .source import Source
from .trial import Answers, Trial
from .workspace import Workspace


def score(
    source: Source,
    recipes: Recipes,
    graphs: Graphs,
    reference: Embedder,
    crops: CalibrationSet,
    carried: Carried,
    workspace: Workspace,
) -> tuple[Trial, ...]:
    """One engine is open beside the reference at a time; each embeds every crop once."""
    trials = []
    for candidate, judged in graphs.judged.items():
        with Embedder(judged, source, workspace) as built:
            judgement = judge(source, reference, built, crops)
            answers = answers_of(built, carried)
        verdict = judgement.verdict
        passed = verdict.decision == "pass" or candidate == graphs.default
        trials.append(
            Trial(
                candidate,
                recipes[candidate],
                graphs.of(candidate),
                judged,
                judgement,
                answers,
                "" if passed else verdict.sentence,
            )
        )
    return (*trials, *_never_written(recipes, graphs.left_out))


def answers_of(engine: Embedder, carried: Carried) -> Answers:
    probe = None if carried.probe is None else engine.crops(carried.probe)
    return Answers(engine.crops(carried.golden), probe)


def _never_written(recipes: Recipes, reasons: Mapping[Candidate, str]) -> list[Trial]:
    return [
        Trial(candidate, recipes[candidate], (), left_out=why) for candidate, why in reasons.items()
    ]
