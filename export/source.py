"""What an export starts from: the model, and the crops that calibrate, rehearse and judge it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.data.base import UNKNOWN, ReidDataset, Sample
from ..core.data.catalogue import open_dataset
from ..core.data.crops import BadImage, stream
from ..core.errors import ConfigError, DataError
from ..core.manifest import Space
from ..core.models.lineage import lineage, whole_space
from ..core.models.ranges import Ranges
from ..core.models.vit import ReidVit, merged
from ..core.models.weights import load_weights
from ..core.preprocess import Preprocess
from .calibration import FEWEST, CalibrationSet, choose_crops
from .options import ExportOptions
from .rehearsal import choose_people

BATCH = 32
AGREEMENT_CROPS = 2000
THRESHOLD_PEOPLE, THRESHOLD_CROPS_EACH = 600, 6


@dataclass(frozen=True)
class Source:
    """The full-precision model and the data set."""

    name: str
    model: ReidVit
    preprocess: Preprocess
    lineage: str
    space: Space
    """The model's own, or for a teacher-compatible student its teacher's."""
    dataset: ReidDataset
    options: ExportOptions
    bad: tuple[BadImage, ...] = ()
    ranges: Ranges | None = None
    """Of INT8, where training settled them."""

    @property
    def labelled(self) -> bool:
        return any(sample.identity != UNKNOWN for sample in self.dataset.train)

    @property
    def is_synthetic(self) -> bool:
        return (self.dataset.root / "synth.json").is_file()

    def calibration(self) -> CalibrationSet:
        """Where no range is measured on them, fewer will do: half of what there is at the most."""
        count = self.options.calibration_crops
        if not self._measures_ranges:
            count = max(FEWEST, min(count, len(self.dataset.train) // 2))
        return choose_crops(self.dataset, count, self.options.seed)

    @property
    def _measures_ranges(self) -> bool:
        options = self.options
        settled = self.ranges is not None and options.recipe is None
        return options.int8 and not (settled and "attention" not in (options.candidates or ""))

    def batches(self, samples: Sequence[Sample]) -> Iterable[Tensor]:
        """Normalised crops for the PyTorch model, a batch at a time."""
        for _, crops in self.stream(samples):
            yield torch.from_numpy(self.preprocess.normalise(crops))

    def stream(
        self, samples: Sequence[Sample]
    ) -> Iterable[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        for indices, crops in stream(
            self.dataset.root, samples, self.preprocess, BATCH, self.options.workers
        ):
            yield np.asarray(indices), crops

    def crops(self, samples: Sequence[Sample]) -> NDArray[np.uint8]:
        return np.concatenate([crops for _, crops in self.stream(samples)])

    def known_people(self) -> list[Sample]:
        """Training crops, cameras in turn, from which thresholds are derived."""
        return choose_people(
            self.dataset.train, THRESHOLD_PEOPLE, THRESHOLD_CROPS_EACH, self.options.seed + 1
        )

    def unlabelled(self, calibration: CalibrationSet) -> list[Sample]:
        """Crops for the agreement gate: none of those that calibrated."""
        used = {sample.path for sample in calibration.samples}
        rest = sorted(sample for sample in self.dataset.train if sample.path not in used)
        order = np.random.default_rng([self.options.seed, 0xA9]).permutation(len(rest))
        return [rest[index] for index in sorted(order[:AGREEMENT_CROPS])]


def open_source(options: ExportOptions) -> Source:
    """Load both; every problem with them is found here, before any work."""
    if options.data is None:
        raise ConfigError("say which crops to calibrate and judge with: --data FOLDER")
    dataset = open_dataset(options.data, options.kind)
    _check_splits(dataset, options)
    loaded = load_weights(options.weights)
    model = loaded.model.eval().requires_grad_(False)
    if options.neck is not None:
        _check_neck(model, options.neck)
        model.config = dataclasses.replace(model.config, neck_feature=options.neck)
    bad: tuple[BadImage, ...] = ()
    if options.skip_bad:
        dataset, bad = sifted(dataset, loaded.preprocess, options.workers)
        _check_splits(dataset, options)
    return Source(
        name=Path(options.weights).stem,
        model=merged(model),
        preprocess=loaded.preprocess,
        lineage=lineage(model),
        space=whole_space(model, model.config.neck_feature, loaded.provenance),
        dataset=dataset,
        options=options,
        bad=bad,
        ranges=loaded.ranges,
    )


def sifted(
    dataset: ReidDataset, preprocess: Preprocess, workers: int | None
) -> tuple[ReidDataset, tuple[BadImage, ...]]:
    """The data set without the images that cannot be read, and a list of those."""
    bad: list[BadImage] = []
    kept: dict[str, tuple[Sample, ...]] = {}
    for name, samples in dataset.splits().items():
        crops = stream(dataset.root, samples, preprocess, BATCH, workers, True)
        good = [index for indices, _ in crops for index in indices]
        kept[name] = tuple(samples[index] for index in good)
        bad += crops.bad
    train, query, gallery = (kept[name] for name in ("train", "query", "gallery"))
    sound = dataclasses.replace(dataset, train=train, query=query, gallery=gallery)
    return sound, tuple(bad)


def digest_of(dataset: ReidDataset, samples: Sequence[Sample]) -> str:
    """Changes when any of these files does; cheap enough to ask every time."""
    digest = hashlib.sha256()
    for sample in samples:
        facts = (dataset.root / sample.path).stat()
        digest.update(f"{sample}{facts.st_size}{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _check_neck(model: ReidVit, asked: str) -> None:
    config = model.config
    if config.projection and asked != config.neck_feature:
        raise ConfigError(
            f"this student's projection was trained on the features {config.neck_feature} the "
            f"neck, so --neck {asked} would feed it something else; leave out --neck"
        )


def _check_splits(dataset: ReidDataset, options: ExportOptions) -> None:
    if not dataset.train:
        raise DataError(f"{dataset.root}: there is no training split to calibrate with")
    if options.gate != "agreement" and not (dataset.query and dataset.gallery):
        raise DataError(
            f"{dataset.root}: a gate on accuracy needs a query and a gallery split; "
            "for crops without labels use --gate agreement"
        )
