"""Who is known: embeddings of named people, and how like them somebody must be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from personvit.core.bundle import Bundle
from personvit.core.errors import ConfigError, DataError
from personvit.core.images import SUFFIXES, read_image
from personvit.engines.base import Engine

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Gallery:
    """Embeddings of people whose names are known, several of each."""

    names: tuple[str, ...]
    vectors: np.ndarray

    @property
    def people(self) -> list[str]:
        return sorted(set(self.names))

    def similarities(self, vectors: np.ndarray) -> np.ndarray:
        """For each vector and person the cosine to the most similar crop."""
        whose = np.array(self.names)
        cosines = vectors @ self.vectors.T
        return np.stack([cosines[:, whose == name].max(axis=1) for name in self.people], axis=1)

    def recognise(self, vectors: np.ndarray, threshold: float) -> list[tuple[str, float]]:
        """Each person once per picture: the best match takes the name, the next its next best."""
        scores = self.similarities(vectors)
        found = [(UNKNOWN, float(row.max())) for row in scores]
        taken_rows: set[int] = set()
        taken_people: set[int] = set()
        for flat in np.argsort(-scores, axis=None, kind="stable"):
            row, person = divmod(int(flat), scores.shape[1])
            if scores[row, person] < threshold:
                break
            if row not in taken_rows and person not in taken_people:
                found[row] = self.people[person], float(scores[row, person])
                taken_rows.add(row)
                taken_people.add(person)
        return found


def open_gallery(place: Path, engine: Engine) -> Gallery:
    """Crops in folders named after people, or embeddings and what lies beside them."""
    if place.suffix == ".npy":
        return _embedded(place, engine)
    paths = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
    named = [(path.parent.name, path) for path in paths if path.parent != place]
    if not named:
        raise DataError(f"{place}: no crops here; make one folder for each person, NAME/crop.jpg")
    crops = np.stack([engine.preprocess.resize(read_image(path)) for _, path in named])
    return Gallery(tuple(name for name, _ in named), engine.embed(crops))


def _embedded(place: Path, engine: Engine) -> Gallery:
    beside = place.with_name(place.name + ".json")
    if not place.is_file() or not beside.is_file():
        raise DataError(f"{place}: give the .npy of 'personvit-engine run' and its .json beside it")
    about = json.loads(beside.read_text())
    own = next(spec.space for spec in engine.outputs if spec.meaning == "embedding")
    if about.get("space") != own:
        raise DataError(
            f"{place}: these embeddings lie in the space {about.get('space')} and the model's in "
            f"{own}; embed the gallery with this model"
        )
    vectors = np.load(place)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return Gallery(tuple(Path(name).parent.name for name in about["images"]), vectors)


def threshold_at(bundle: Path, far: float) -> float:
    """The bundle's own threshold at a rate of false accepts."""
    opened = Bundle.open(bundle)
    mend = "give one with --threshold"
    if not opened.manifest.has("thresholds.json"):
        raise ConfigError(f"{bundle}: it holds no match thresholds; {mend}")
    rows: Any = opened.json("thresholds.json")
    known = {row["far"]: row["threshold"] for row in rows["candidate"] if row["threshold"]}
    if far not in known:
        rates = ", ".join(f"{rate:g}" for rate in known) or "none"
        mend = f"say --far {min(known):g}, or {mend}" if known else mend
        raise ConfigError(f"{bundle}: it has thresholds at {rates}, not at {far:g}; {mend}")
    return float(known[far])
