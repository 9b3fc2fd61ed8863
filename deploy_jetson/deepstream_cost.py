"""What DeepStream's resize does to embeddings and match thresholds, measured on training people."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..benchmark.agreement import neighbour_scores
from ..benchmark.comparison import CosineSummary, cosine_summary, cosines
from ..benchmark.pairs import pair_scores
from ..benchmark.thresholds import Thresholds, thresholds
from ..core.data.base import ReidDataset, Sample, cameras, identities
from ..core.data.catalogue import open_dataset
from ..core.errors import DataError
from ..core.images import read_image
from ..core.preprocess import Preprocess
from .deepstream_crops import CropPath, corner_of
from .deepstream_engine import BATCH, PlanarEngine

PEOPLE, CROPS_EACH, NAMELESS = 600, 6, 2000
TOP_K, ORDERED = 10, 20
USUAL = 1e-3
FEWEST_CROPS = ORDERED + 2

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class PathCost:
    """One path of DeepStream against the reference preprocessing, same graph, same crops."""

    path: CropPath
    cosine: CosineSummary
    overlap: float
    """The mean share of each crop's nearest ten that stay among its nearest ten."""
    thresholds: Thresholds | None

    @property
    def median(self) -> float:
        return self.cosine.percentiles["p50"]

    @property
    def sentence(self) -> str:
        """What becomes of a user who keeps the old threshold."""
        kept = self.thresholds.kept if self.thresholds else ()
        if not kept:
            return ""
        usual = next((each for each in kept if each.far == USUAL), kept[0])
        return (
            f"On the path '{self.path.name}', keeping the reference threshold for {usual.far:g} "
            f"false accepts ({usual.threshold:.4f}) gives {usual.new_far:.2g} false accepts and "
            f"{100 * usual.new_tar:.1f} % true accepts."
        )

    def as_json(self) -> Mapping[str, Any]:
        return {
            "path": self.path.name,
            "frame_scale": self.path.frame_scale,
            "cosine": self.cosine.as_json(),
            f"top_{TOP_K}_overlap": self.overlap,
            "thresholds": self.thresholds.as_json() if self.thresholds else None,
        }

    def as_text(self) -> str:
        return (
            f"{self.path.name}: cosine to the reference {self.median:.4f} median, "
            f"{self.cosine.smallest:.4f} worst of {self.cosine.crops:,} crops; "
            f"{100 * self.overlap:.1f} % of the {TOP_K} nearest stay"
            + (f"\n  {self.sentence}" if self.sentence else "")
        )


@dataclass(frozen=True)
class ResizeCost:
    """Both paths, and why there are no thresholds where there are none."""

    data: str
    synthetic: bool
    runtime: str
    paths: tuple[PathCost, ...]
    no_thresholds: str = ""

    def as_json(self) -> Mapping[str, Any]:
        return {
            "data": self.data,
            "synthetic": self.synthetic,
            "runtime": self.runtime,
            "no_thresholds": self.no_thresholds,
            "paths": [path.as_json() for path in self.paths],
        }

    def as_text(self) -> str:
        lines = [path.as_text() for path in self.paths]
        return "\n".join([*lines, *([self.no_thresholds] if self.no_thresholds else [])])


def measure(
    engine: PlanarEngine,
    preprocess: Preprocess,
    root: Path,
    kind: str | None,
    ways: Sequence[CropPath],
) -> ResizeCost:
    """Embed the training crops the reference way and each way of DeepStream."""
    dataset = open_dataset(root, kind)
    known = any(sample.identity > 0 for sample in dataset.train)
    samples = training_people(dataset) if known else list(dataset.train[:NAMELESS])
    if len(samples) < FEWEST_CROPS:
        raise DataError(
            f"{root}: {len(samples)} training crops of people whom two cameras saw are too few; "
            f"give {FEWEST_CROPS} or more, or leave --data out"
        )
    reference, others = _embed(engine, preprocess, dataset.root, samples, ways)
    costs = [
        _compared(way, reference, vectors, samples if known else ())
        for way, vectors in zip(ways, others, strict=True)
    ]
    reason = "" if known else "no thresholds: nobody has named the people of these crops"
    synthetic = (dataset.root / "synth.json").is_file()
    return ResizeCost(dataset.name, synthetic, engine.runtime, tuple(costs), reason)


def _compared(
    way: CropPath, reference: Embeddings, found: Embeddings, named: Sequence[Sample]
) -> PathCost:
    derived: Thresholds | None = None
    if named:
        people, seen_by = identities(tuple(named)), cameras(tuple(named))
        derived = thresholds(*(pair_scores(side, people, seen_by) for side in (reference, found)))
    overlap, _ = neighbour_scores(reference, found, TOP_K, ORDERED)
    alike = cosine_summary(cosines(reference, found))
    return PathCost(way, alike, round(float(overlap.mean()), 6), derived)


def training_people(dataset: ReidDataset, seed: int = 0) -> list[Sample]:
    """Training crops only: query and gallery belong to the gate. Cameras take turns."""
    by_person: dict[int, dict[int, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in sorted(dataset.train):
        if sample.identity > 0:
            by_person[sample.identity][sample.camera].append(sample)
    seen_twice = [person for person, found in by_person.items() if len(found) > 1]
    order = np.random.default_rng([seed, 0xD5]).permutation(len(seen_twice))
    chosen: list[Sample] = []
    for index in sorted(order[:PEOPLE]):
        turns = zip_longest(*by_person[seen_twice[index]].values())
        chosen += [sample for turn in turns for sample in turn if sample][:CROPS_EACH]
    return chosen


def _embed(
    engine: PlanarEngine,
    preprocess: Preprocess,
    root: Path,
    samples: Sequence[Sample],
    ways: Sequence[CropPath],
) -> tuple[Embeddings, list[Embeddings]]:
    size = preprocess.height, preprocess.width
    found: list[list[Embeddings]] = [[] for _ in range(1 + len(ways))]
    with click.progressbar(length=len(samples), label="embedding", file=sys.stderr) as bar:
        for start in range(0, len(samples), BATCH):
            batch = samples[start : start + BATCH]
            images = [read_image(root / sample.path) for sample in batch]
            inputs = [[preprocess.resize(image) for image in images]]
            corners = [corner_of(start + index) for index in range(len(images))]
            both = list(zip(images, corners, strict=True))
            inputs += [[way.crop(image, *size, corner) for image, corner in both] for way in ways]
            for kept, crops in zip(found, inputs, strict=True):
                kept.append(engine.embed(np.stack(crops)))
            bar.update(len(batch))
    reference, *others = (np.concatenate(parts) for parts in found)
    return reference, others
