"""Which crops calibrate the quantiser: training split only, stratified, seeded, and on record."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.data.base import ReidDataset, Sample
from ..core.errors import CalibrationError
from ..core.files import sha256
from ..core.preprocess import Preprocess

FEWEST = 32


@dataclass(frozen=True)
class CalibrationSet:
    """The chosen crops, and the digests that say which pixels they were."""

    root: Path
    samples: tuple[Sample, ...]
    digests: tuple[str, ...]
    seed: int

    def lock(self, preprocess: Preprocess) -> str:
        """`calib.lock`: what another run, or an auditor, needs to know; no names and no paths."""
        strata = sorted(
            [digest, f"camera {sample.camera}"]
            for digest, sample in zip(self.digests, self.samples, strict=True)
        )
        identities = {sample.identity for sample in self.samples}
        content: dict[str, Any] = {
            "schema": 1,
            "crops": len(self.samples),
            "identities": len(identities),
            "cameras": len({sample.camera for sample in self.samples}),
            "seed": self.seed,
            "preprocess": preprocess.to_dict(),
            "sha256": strata,
        }
        return json.dumps(content, indent=1, sort_keys=True) + "\n"

    def digest(self, preprocess: Preprocess) -> str:
        return hashlib.sha256(self.lock(preprocess).encode()).hexdigest()


def choose_crops(
    dataset: ReidDataset, count: int, seed: int, pool: Sequence[Sample] | None = None
) -> CalibrationSet:
    """`count` training crops, spread over cameras first and identities second.

    An image that is also a query or a gallery image, byte for byte, is refused: a model that was
    calibrated on its test images has seen the answers.
    """
    candidates = tuple(dataset.train if pool is None else pool)
    _require_enough(candidates, count, dataset)
    chosen = _stratified(candidates, count, seed)
    digests = _digests(dataset.root, chosen)
    _refuse_test_images(dataset, chosen, digests)
    return CalibrationSet(dataset.root, chosen, digests, seed)


def _require_enough(candidates: Sequence[Sample], count: int, dataset: ReidDataset) -> None:
    if count < FEWEST:
        raise CalibrationError(
            f"{count} calibration crops are too few to see the range of activations; "
            f"ask for at least {FEWEST}"
        )
    if len(candidates) < count:
        raise CalibrationError(
            f"{dataset.root}: only {len(candidates)} training crops, but {count} are wanted for "
            f"calibration; add crops or lower --calibration-crops (at least {FEWEST})"
        )


def _stratified(candidates: Sequence[Sample], count: int, seed: int) -> tuple[Sample, ...]:
    """Cameras in turn; within a camera, every identity once before any comes twice."""
    rng = np.random.default_rng([seed, 0xCA11B])
    queues = [
        _identities_in_turn(samples, rng)
        for _, samples in sorted(_grouped(candidates, "camera").items())
    ]
    chosen: list[Sample] = []
    while len(chosen) < count:
        for queue in [queue for queue in queues if queue]:
            if len(chosen) < count:
                chosen.append(queue.pop())
    return tuple(sorted(chosen))


def _identities_in_turn(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """A stack whose top offers one crop of each identity, then a second of each, and so on."""
    ranked = []
    for _, group in sorted(_grouped(samples, "identity").items()):
        order = rng.permutation(len(group))
        ties = rng.random(len(group))
        ranked += [
            (turn, tie, group[index])
            for turn, (index, tie) in enumerate(zip(order, ties, strict=True))
        ]
    return [sample for *_, sample in sorted(ranked, reverse=True)]


def _grouped(samples: Iterable[Sample], field: str) -> dict[int, list[Sample]]:
    groups: dict[int, list[Sample]] = defaultdict(list)
    for sample in sorted(samples):
        groups[getattr(sample, field)].append(sample)
    return groups


def _digests(root: Path, samples: Sequence[Sample]) -> tuple[str, ...]:
    return tuple(sha256(root / sample.path) for sample in samples)


def _refuse_test_images(
    dataset: ReidDataset, chosen: Sequence[Sample], digests: Sequence[str]
) -> None:
    by_size: dict[int, list[int]] = defaultdict(list)
    for index, sample in enumerate(chosen):
        by_size[(dataset.root / sample.path).stat().st_size].append(index)
    for test in (*dataset.query, *dataset.gallery):
        path = dataset.root / test.path
        alike = by_size.get(path.stat().st_size)
        if alike and (digest := sha256(path)) in {digests[index] for index in alike}:
            where = next(chosen[index].path for index in alike if digests[index] == digest)
            raise CalibrationError(
                f"calibration crop {where} is also the test image {test.path}; "
                "remove it from the training images, or the measured accuracy means nothing"
            )
