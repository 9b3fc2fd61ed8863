"""TransReID-SSL's DINO pre-training over upright images, with or without its ICS stem."""

from __future__ import annotations

from ..family import Family, Weights
from ..published_preprocess import PRE_TRAINED
from .dino import FAMILY as DINO


def _recognise(weights: Weights) -> bool:
    person_shaped = weights.has("patch_embed.conv") or not weights.square
    other = ("masked_embed", "head.last_layer2", "head.weight", "dist_token")
    return (
        person_shaped
        and weights.has("patch_embed.", "blocks.")
        and not weights.has_parts
        and not weights.has_neck
        and not weights.has(*other)
        and not weights.under("base.")
        and "target_encoder" not in weights.wrappers
    )


FAMILY = Family(
    name="transreid-ssl-pretrained",
    title="TransReID-SSL, pre-trained, or another bare upright backbone",
    recognise=_recognise,
    preprocess=PRE_TRAINED,
    trunks=DINO.trunks,
    dead=DINO.dead,
)
