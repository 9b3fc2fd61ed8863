"""What the teacher says about the global crops, all of whose patches it sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .batch import PretrainBatch
from .centre import Centres, Tally
from .loss import entropy, sharpened
from .network import PretrainNetwork
from .packing import class_rows, patch_rows
from .recipe import PretrainRecipe
from .schedules import Settings


@dataclass(frozen=True)
class Targets:
    """Distributions over the prototypes."""

    cls: Tensor
    """[2, B, K]"""
    patches: Tensor
    """[masked patches, K]"""


@dataclass(frozen=True)
class Seen:
    """Features and points on the unit sphere of the tokens that are needed."""

    class_features: Tensor
    class_units: Tensor
    patch_units: Tensor
    """Of masked patches only: what the student is to predict."""
    centred_units: Tensor
    """Of the patches whose mean becomes the centre."""


@torch.no_grad()
def look(network: PretrainNetwork, batch: PretrainBatch, hidden: Tensor, everything: bool) -> Seen:
    """One pass over the global crops. With `everything` the centre is that of all patches."""
    tokens, layout = network.embed([batch.globals.flatten(0, 1)])
    first, masked = class_rows(layout, tokens.device), patch_rows(hidden, layout)
    if not everything:
        features = network(tokens, layout, torch.cat([first, masked]))
        units = network.head.units(features)
        count = len(first)
        return Seen(features[:count], units[:count], units[count:], units[count:])
    features = network(tokens, layout, torch.arange(len(tokens), device=tokens.device))
    units = network.head.units(features)
    patches = units.view(layout[0].crops, layout[0].tokens, -1)[:, 1:].flatten(0, 1)
    return Seen(features[first], units[first], units[masked], patches)


@torch.no_grad()
def targets(
    network: PretrainNetwork, seen: Seen, centres: Centres, now: Settings, tally: Tally
) -> Targets:
    """Centred and sharpened scores; the tally learns what the centres and the watch need."""
    head = network.head
    scores = head.last_layer(seen.class_units)
    cls = sharpened(scores, centres.cls, now.temperature)
    patches = sharpened(head.last_layer2(seen.patch_units), centres.patch, now.patch_temperature)
    spread = normalize(seen.class_features.float(), dim=1)
    images = len(scores) // 2
    tally.add(
        images=images,
        class_scores=scores.sum(dim=0) / 2,
        entropy=entropy(cls).sum() / 2,
        shares=cls.sum(dim=0) / 2,
        features=spread.sum(dim=0) / 2,
        squares=spread.square().sum(dim=0) / 2,
        patches=len(seen.centred_units),
        # Scores are linear in the units, so the score of their sum is the sum of their scores.
        patch_scores=head.last_layer2(seen.centred_units.sum(dim=0)),
    )
    return Targets(cls.view(2, images, -1), patches)


def needs_everything(recipe: PretrainRecipe) -> bool:
    return recipe.masked and recipe.teacher.patch_centre == "all"
