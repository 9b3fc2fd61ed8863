"""From a model and its calibration crops to a recipe that holds on training people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from ..core.data.base import Sample
from ..core.models.vit import ReidVit
from .calibrate import Calibrated, calibrate
from .calibration import CalibrationSet
from .recipe import Recipe, load_recipe, to_toml
from .rehearsal import Damage, Rehearsal, choose_people, embed
from .scales import Scales
from .sensitivity import Search, Sensitivity, acceptable, protect_worst, rank_layers
from .source import Source
from .workspace import Workspace

REHEARSAL_PEOPLE, REHEARSAL_CROPS_EACH = 64, 4

Progress = Callable[[str, Iterable[str]], Iterable[str]]


@dataclass(frozen=True)
class Quantised:
    """The model to write, its ranges, and how the recipe was settled."""

    model: ReidVit
    scales: Scales
    recipe: Recipe
    damage: Damage
    search: Search | None

    @property
    def ranking(self) -> tuple[Sensitivity, ...]:
        return self.search.ranking if self.search else ()


def quantise(
    source: Source, crops: CalibrationSet, workspace: Workspace, progress: Progress
) -> Quantised:
    """Calibrate, rehearse, and where the rehearsal fails protect the layers that do most harm.

    A recipe that the user gave is taken as it is.
    """
    given = source.options.recipe
    recipe = load_recipe(given) if given else Recipe()
    layers = recipe.int8_layers(source.model.config)
    ready = calibrate(source.model, lambda: source.batches(crops.samples), recipe)
    rehearsal = _rehearsal(source)
    damage = rehearsal.damage(ready.model, ready.scales, layers)
    if given or not source.options.search or acceptable(damage):
        return Quantised(ready.model, ready.scales, recipe, damage, None)
    search = _search(source, crops, ready, rehearsal, recipe, workspace, progress)
    return Quantised(ready.model, ready.scales, search.recipe, search.damage, search)


def _search(
    source: Source,
    crops: CalibrationSet,
    ready: Calibrated,
    rehearsal: Rehearsal,
    recipe: Recipe,
    workspace: Workspace,
    progress: Progress,
) -> Search:
    lock = crops.digest(source.preprocess)
    cache = workspace.path(
        "sensitivity", source.lineage, lock, to_toml(recipe), source.options.seed
    )
    linears = {layer: ready.scales[layer] for layer in recipe.int8_layers(source.model.config)}
    ranking = rank_layers(
        ready.model, linears, rehearsal, cache, lambda names: progress("ranking layers", names)
    )
    return protect_worst(ready.model, linears, rehearsal, recipe, ranking)


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
