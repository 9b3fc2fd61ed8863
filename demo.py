"""`personvit demo`: the tour. It runs the commands a user would type, and prints each one."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from .core.command import LARGEST_SEED, CommandGroup, option
from .core.errors import DataError, PersonvitError
from .core.machine import this_machine

MARK = "this-folder-is-a-personvit-demo"
ARCHITECTURE = "vit_micro_16"
SIZE = "128x64"
ROOMS = {
    "personvit-data": "core",
    "personvit-train": "train",
    "personvit-benchmark": "benchmark",
    "personvit-export": "export",
}


@dataclass(frozen=True)
class DemoOptions:
    """Generate pedestrians, fine-tune a small transformer on them, and export it as INT8.

    Everything lands in one folder; running it again starts over.

    Example: personvit demo -o demo-out
    """

    out: Path = option(Path("demo-out"), "folder for the data, the models and the results")
    identities: int = option(1100, "synthetic people, 6 in 11 of them to train on", low=40)
    recipe: str = option("demo", "the recipe to fine-tune with")
    seed: int = option(0, "seed of the data and of the training", low=0, high=LARGEST_SEED)


@dataclass(frozen=True)
class Tour:
    """One network untrained, fine-tuned and in INT8, on people that it never saw."""

    out: Path
    untrained: Mapping[str, Any]
    trained: Mapping[str, Any]
    verdict: Mapping[str, Any]
    minutes: float

    def as_json(self) -> Mapping[str, Any]:
        return {
            "out": str(self.out),
            "untrained": self.untrained,
            "trained": self.trained,
            "verdict": self.verdict,
            "minutes": round(self.minutes, 1),
        }

    def as_text(self) -> str:
        rows = [
            f"  {name:10s}  mAP {100 * scores['mean_ap']:5.1f} %   "
            f"Rank-1 {100 * scores['cmc'][0]:5.1f} %   mINP {100 * scores['minp']:5.1f} %"
            for name, scores in (("untrained", self.untrained), ("fine-tuned", self.trained))
        ]
        return "\n".join(
            [
                "",
                f"Retrieval of people the network never saw ({self.trained['n_queries']} queries):",
                *rows,
                f"  INT8        {self.verdict['sentence']}",
                "",
                f"Pictures     {self.out / 'data'}",
                f"Model        {self.out / 'run' / 'model.safetensors'}",
                f"Evaluation   {self.out / 'evaluation' / 'evaluation.md'}",
                f"Bundle       {self.out / 'model.pvb'}",
                f"Report       {self.out / 'model.report' / 'report.html'} (open it in a browser)",
                f"All of it took {self.minutes:.1f} minutes. Synthetic pedestrians are not people:",
                "this shows that the tools work, not how well they do on a street.",
            ]
        )


def demo(options: DemoOptions) -> Tour:
    """Run the tour in a folder of its own."""
    began = time.monotonic()
    out = _fresh_folder(options.out)
    data, run, random = out / "data", out / "run", out / "untrained.safetensors"
    seed = str(options.seed)
    training = options.identities * 6 // 11
    people = ("--identities", options.identities, "--train-identities", training)
    _run("personvit-data", "synth", data, *people, "--seed", seed)
    _run("personvit-data", "check", data)
    _run("personvit-train", "new", ARCHITECTURE, "--size", SIZE, "--seed", seed, "-o", random)
    _evaluate(random, data, out / "evaluation-untrained")
    start = ("finetune", random, "--data", data, "--recipe", options.recipe, "-o", run)
    amp = "bf16" if this_machine().has_bf16 else "off"
    _run("personvit-train", *start, "--amp", amp, "--seed", seed, "--no-evaluate")
    _evaluate(run / "model.safetensors", data, out / "evaluation")
    bundle = out / "model.pvb"
    best = run / "model.safetensors"
    _run("personvit-export", best, "--data", data, "--int8", "--target", "cpu,rtx", "-o", bundle)
    _run("personvit-export", "verify", bundle)
    return Tour(
        out,
        untrained=_scores(out / "evaluation-untrained"),
        trained=_scores(out / "evaluation"),
        verdict=_read(out / "model.report" / "report.json")["verdict"],
        minutes=(time.monotonic() - began) / 60,
    )


def _evaluate(weights: Path, data: Path, out: Path) -> None:
    _run("personvit-benchmark", "evaluate", weights, "--data", data, "-o", out)


def _scores(folder: Path) -> Mapping[str, Any]:
    scores: Mapping[str, Any] = _read(folder / "evaluation.json")["scores"]
    return scores


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _fresh_folder(out: Path) -> Path:
    """Empty the folder of an earlier tour; never touch any other."""
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise DataError(f"{out} holds something else; name a new folder with -o")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).touch()
    return out


def _run(command: str, *words: object) -> None:
    line = [str(word) for word in words]
    click.echo(f"\n$ {shlex.join([command, *line])}")
    room = import_module(f".{ROOMS[command]}.cli", __package__)
    group: Callable[[list[str]], int] = room.main.run
    sys.stdout.flush()
    if code := group(line):
        raise StepFailedError(command, code)


class StepFailedError(PersonvitError):
    """A step of the tour ended badly and has said why; the tour ends with its exit code."""

    def __init__(self, command: str, code: int) -> None:
        super().__init__(f"the tour stopped: {command} ended with exit code {code}")
        self.exit_code = code


main = CommandGroup("personvit", "PersonViT-Edge: from raw crops to a proven edge engine.")
main.command("demo", DemoOptions)(demo)
