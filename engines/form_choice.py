"""Picks the fastest correct form of a graph on this machine, once, and remembers the choice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..core import strict_json
from ..core.errors import EnvironmentMismatch, UserError
from ..core.files import write_atomically
from .golden import Replay, measure

BATCHES = (1, 8)
ROUNDS = 5
SCHEMA = 1

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Timing:
    """The best of a few interleaved rounds, in milliseconds per crop."""

    batch_1_ms: float
    batch_8_ms: float
    worst_cosine: float
    correct: bool

    @property
    def score(self) -> float:
        return self.batch_1_ms + self.batch_8_ms


@dataclass(frozen=True)
class Chosen:
    form: str
    timings: Mapping[str, Timing]
    schema: int = SCHEMA


@dataclass(frozen=True)
class Candidate:
    """One form, open, and the crops and embeddings that show whether it is correct."""

    embed: Embed
    replay: Replay


def fastest_correct(candidates: Mapping[str, Candidate], name: str) -> Chosen:
    """Time all forms in turn, so that a busy moment hits each alike; then the fastest correct."""
    best = {form: dict.fromkeys(BATCHES, float("inf")) for form in candidates}
    for _ in range(ROUNDS):
        for form, candidate in candidates.items():
            for batch in BATCHES:
                best[form][batch] = min(best[form][batch], _per_crop(candidate, batch))
    timings = {form: _timing(entry, best[form]) for form, entry in candidates.items()}
    correct = [form for form, timing in timings.items() if timing.correct]
    if not correct:
        worst = ", ".join(f"{form} {timing.worst_cosine:.4f}" for form, timing in timings.items())
        raise EnvironmentMismatch(
            f"onnxruntime ({name}): no form of the graph gives the expected embeddings here "
            f"(worst cosine: {worst}); use another engine or another version of ONNX Runtime"
        )
    return Chosen(min(correct, key=lambda form: timings[form].score), timings)


def remembered(folder: Path, key: Sequence[str], known: Sequence[str]) -> Chosen | None:
    """The choice of an earlier run; a file that cannot be used is as good as none."""
    try:
        chosen = strict_json.build(Chosen, strict_json.parse(_file(folder, key).read_bytes()))
    except (OSError, strict_json.DocumentError):
        return None
    if chosen.schema != SCHEMA or set(chosen.timings) != set(known) or chosen.form not in known:
        return None
    return chosen


def remember(folder: Path, key: Sequence[str], chosen: Chosen) -> str | None:
    """Keep a choice; says why where that was not possible, which costs time and nothing else."""
    try:
        write_atomically(_file(folder, key), json.dumps(asdict(chosen), indent=1) + "\n")
    except (OSError, UserError) as problem:
        return f"the choice of form could not be kept in {folder} ({problem})"
    return None


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The user's own cache, never a bundle: a choice belongs to a machine."""
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "personvit" / "onnxruntime"


def _file(folder: Path, key: Sequence[str]) -> Path:
    digest = hashlib.sha256("\n".join(key).encode()).hexdigest()
    return folder / f"{digest[:32]}.json"


def _per_crop(candidate: Candidate, batch: int) -> float:
    crops = candidate.replay.crops[:batch]
    start = perf_counter()
    candidate.embed(crops)
    return (perf_counter() - start) * 1000 / len(crops)


def _timing(candidate: Candidate, best: Mapping[int, float]) -> Timing:
    worst = measure(candidate.embed, candidate.replay, BATCHES[-1])
    return Timing(
        batch_1_ms=round(best[1], 3),
        batch_8_ms=round(best[8], 3),
        worst_cosine=round(worst.cosine, 6),
        correct=worst.within(candidate.replay.expectation),
    )
