"""What frozen features know about people: retrieval on a labelled data set, while pre-training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import nn

from ...core.data.base import ReidDataset, cameras, identities
from ...core.errors import ConfigError, DataError
from ...core.metrics.scores import evaluate
from ...core.models.vit import ReidVit
from ...core.preprocess import Preprocess
from ..crops import Reading
from ..distributed import World
from ..result import Scores
from .linear_probe import fit_discriminant
from .probe_crops import ProbeCrops, Rows, open_crops

ProbeScores = Scores


class Probe:
    """Query against gallery of one data set, embedded by whatever a run has learnt so far.

    Every process of the run must ask at the same step; all of them get the same scores. The model
    is left as it was: its modules in their modes, no random number drawn.
    """

    def __init__(
        self, dataset: ReidDataset, preprocess: Preprocess, reading: Reading, world: World
    ) -> None:
        if not dataset.query or not dataset.gallery:
            raise DataError(
                f"{dataset.root} ({dataset.name}) has no query and gallery, so nothing can be "
                "retrieved; probe with a data set that has both, or leave the probe out"
            )
        self.dataset, self._how = dataset, (preprocess, reading, world)
        listed = (*dataset.query, *dataset.gallery)
        self._found = open_crops(dataset.root, listed, *self._how)
        bad = self._found.bad
        self._queries = sum(place not in bad for place in range(len(dataset.query)))
        if not 0 < self._queries < len(self._found.samples):
            raise DataError(f"{dataset.root}: no query, or nothing in the gallery, can be read")

    @property
    def bad(self) -> tuple[str, ...]:
        """Why some queries and gallery crops take no part."""
        return tuple(self._found.bad.values())

    def knn(self, model: ReidVit) -> ProbeScores:
        """Ranked by the cosine of the embeddings as they are (the class token, for our teachers).

        That is the nearest-neighbour classifier of the self-supervised literature with the
        camera rules of re-identification; nothing is fitted.
        """
        with undisturbed(model):
            return self._scores(self._found.embedded(model))

    def linear(self, model: ReidVit) -> ProbeScores:
        """The same after the best linear map that the labelled training split can teach."""
        with undisturbed(model):
            rows, known = self._found.embedded(model), self._training.embedded(model)
        learnt = fit_discriminant(known, identities(self._training.samples))
        return self._scores(learnt(rows))

    @cached_property
    def _training(self) -> ProbeCrops:
        labelled = tuple(sample for sample in self.dataset.train if sample.identity > 0)
        return open_crops(self.dataset.root, labelled, *self._how)

    def _scores(self, rows: Rows) -> ProbeScores:
        samples = self._found.samples
        query, gallery = samples[: self._queries], samples[self._queries :]
        found = evaluate(
            rows[: self._queries],
            rows[self._queries :],
            identities(query),
            identities(gallery),
            cameras(query),
            cameras(gallery),
        )
        return ProbeScores(
            mean_ap=found.mean_ap,
            rank1=found.rank(1),
            rank5=found.rank(5),
            minp=found.minp,
            queries=found.n_queries,
            skipped_queries=found.n_skipped,
        )


@contextmanager
def undisturbed(model: ReidVit) -> Iterator[None]:
    """In evaluation mode, without gradients; every module gets its own mode back."""
    if model.config.cameras:
        raise ConfigError("a probe knows no camera numbers; this model adds a camera embedding")
    modes: list[tuple[nn.Module, bool]] = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
