"""From a model and its calibration crops to recipes that hold on training people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..core.data.base import Sample
from ..core.errors import ConfigError
from ..core.manifest import Candidate
from ..core.models.vit import ReidVit
from .calibrate import Calibrated, attention_ranges, calibrate, trained
from .calibration import CalibrationSet
from .recipe import Recipe, load_recipe, to_toml
from .rehearsal import Damage, Rehearsal, choose_people, embed
from .scales import Scales
from .sensitivity import Search, Sensitivity, acceptable, protect_worst, rank_layers
from .source import Source
from .work import densest, int8_share, work_shares
from .workspace import Workspace

REHEARSAL_PEOPLE, REHEARSAL_CROPS_EACH = 64, 4
MIXED_FLOAT = 0.25
"""The share of the work in quantisable layers that the candidate `mixed` keeps in float."""
RANKING_CROPS = 64
"""For `mixed`; 256 crops chose nearly the same layers in four times the time (docs/export.md)."""

Progress = Callable[[str, Iterable[str]], Iterable[str]]


@dataclass(frozen=True)
class Quantised:
    """The model to write, its ranges, and how the recipe was settled."""

    model: ReidVit
    scales: Scales
    recipe: Recipe
    damage: Damage | None
    """Nothing where rounding happens that a rehearsal in PyTorch does not imitate."""
    search: Search | None

    @property
    def ranking(self) -> tuple[Sensitivity, ...]:
        return self.search.ranking if self.search else ()

    @property
    def layers(self) -> frozenset[str]:
        return self.recipe.int8_layers(self.model.config)

    @property
    def share(self) -> float:
        """The share of all matrix work that runs in INT8."""
        attention = self.recipe.int8_attention
        return int8_share(self.model.config, self.layers, attention=attention)


def quantise(
    source: Source,
    crops: CalibrationSet,
    workspace: Workspace,
    progress: Progress,
    candidates: Sequence[Candidate] = ("int8",),
) -> Mapping[Candidate, Quantised]:
    """A recipe for every quantised candidate; all share one calibration and one rehearsal."""
    workshop = _Workshop(source, crops, workspace, progress)
    int8 = workshop.int8()
    make: Mapping[Candidate, Callable[[Quantised], Quantised]] = {
        "int8": lambda done: done,
        "mixed": workshop.mixed,
        "int8-attention": workshop.attention,
    }
    return {name: make[name](int8) for name in candidates if name in make}


class _Workshop:
    """What every recipe of one export needs."""

    def __init__(
        self, source: Source, crops: CalibrationSet, workspace: Workspace, progress: Progress
    ) -> None:
        self._source, self._crops = source, crops
        self._workspace, self._progress = workspace, progress
        given = source.options.recipe
        self._recipe = load_recipe(given) if given else default_recipe(source)
        self._layers = self._recipe.int8_layers(source.model.config)
        if not self._layers:
            raise ConfigError(f"{given}: the recipe quantises no layer; leave --int8 out instead")
        batches = self._batches
        self._ready: Calibrated = (
            trained(source.model, source.ranges, self._recipe)
            if self._recipe.calibration == "training"
            else calibrate(source.model, batches, self._recipe)
        )
        self._rehearsal = _rehearsal(source)

    def int8(self) -> Quantised:
        """Where the rehearsal fails, the layers that do most harm are protected.

        A recipe that the user gave is taken as it is, and so is a student trained in INT8, whose
        full-precision form is not what it learnt to be.
        """
        options, ready = self._source.options, self._ready
        damage = self._rehearsal.damage(ready.model, ready.scales, self._layers)
        settled = options.recipe or self._recipe.calibration == "training"
        if settled or not options.search or acceptable(damage):
            return Quantised(ready.model, ready.scales, self._recipe, damage, None)
        ranking = self._ranking(self._rehearsal)
        search = protect_worst(ready.model, self._linears, self._rehearsal, self._recipe, ranking)
        done = Quantised(ready.model, ready.scales, search.recipe, search.damage, search)
        if not done.layers:
            raise ConfigError(
                "no layer of this model can be quantised without turning its embeddings further "
                "than the rehearsal allows; export it without --int8, or give a --recipe"
            )
        return done

    def mixed(self, int8: Quantised) -> Quantised:
        """The layers with most harm for their work stay in float, up to a quarter of the work."""
        ranking = int8.ranking or self._ranking(self._rehearsal.first(RANKING_CROPS))
        shares = work_shares(int8.model.config)
        harm = {row.layer: row.damage.error for row in ranking if row.layer in int8.layers}
        spent = sum(shares[layer] for layer in int8.recipe.high_precision)
        recipe = int8.recipe.protecting(tuple(densest(harm, shares, MIXED_FLOAT - spent)))
        layers = recipe.int8_layers(int8.model.config)
        damage = self._rehearsal.damage(int8.model, int8.scales, layers)
        return replace(int8, recipe=recipe, damage=damage, search=None)

    def attention(self, int8: Quantised) -> Quantised:
        """Attention's ranges beside those of the linear layers."""
        scales = {**int8.scales, **attention_ranges(int8.model, self._batches)}
        recipe = replace(int8.recipe, int8_attention=True)
        return replace(int8, scales=scales, recipe=recipe, damage=None, search=None)

    def _batches(self) -> Iterable[torch.Tensor]:
        return self._source.batches(self._crops.samples)

    @property
    def _linears(self) -> Scales:
        return {layer: self._ready.scales[layer] for layer in self._layers}

    def _ranking(self, rehearsal: Rehearsal) -> tuple[Sensitivity, ...]:
        source = self._source
        lock = self._crops.digest(source.preprocess)
        cache = self._workspace.path(
            "sensitivity",
            source.lineage,
            lock,
            to_toml(self._recipe),
            source.options.seed,
            len(rehearsal.images),
        )
        return rank_layers(
            self._ready.model,
            self._linears,
            rehearsal,
            cache,
            lambda names: self._progress("ranking layers", names),
        )


def default_recipe(source: Source) -> Recipe:
    """Ranges that came with the weights are used; only others are measured."""
    return Recipe(calibration="training" if source.ranges is not None else "max")


def _rehearsal(source: Source) -> Rehearsal:
    samples = _people(source)
    images = torch.cat(list(source.batches(samples)))
    people = np.array([sample.identity for sample in samples], dtype=np.int64)
    if not source.labelled:
        people = np.arange(len(samples), dtype=np.int64)
    return Rehearsal(images, people, embed(source.model, images, 32))


def _people(source: Source) -> list[Sample]:
    seed, train = source.options.seed, source.dataset.train
    if source.labelled:
        return choose_people(train, REHEARSAL_PEOPLE, REHEARSAL_CROPS_EACH, seed)
    order = np.random.default_rng([seed, 0x5EA]).permutation(len(train))
    count = REHEARSAL_PEOPLE * REHEARSAL_CROPS_EACH
    return sorted(sorted(train)[index] for index in order[:count])
