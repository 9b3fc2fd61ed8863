"""A student that begins as some of a deeper model's blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from ...core.errors import ConfigError
from ...core.models.vit import ReidVit, filled
from ..start import Origin, origin
from .student import Ask

_BLOCK = re.compile(r"backbone\.blocks\.(\d+)\.")
EVERY = 2


def halved(ask: Ask) -> Origin:
    """Every second block of the teacher, or of the student's initial weights, ending in the last.

    The last block is kept, because the final norm and the neck are used to what it makes.
    """
    source = ask.initial or ask.teacher.ref
    found = origin(source, ask.recipe)
    if found.loaded is None:
        raise ConfigError(
            f"{source} is an architecture without weights, so there is nothing to inherit; "
            "give a weights file to --initial"
        )
    config = found.config
    if not config.depth or config.depth % EVERY or config.token_schedule:
        raise ConfigError(
            f"{source} has {config.depth} blocks"
            + (" and a token schedule" if config.token_schedule else "")
            + f"; every {EVERY}nd block can be inherited from an even number of whole ones"
        )
    smaller = replace(config, depth=config.depth // EVERY, projection=0)
    kept = every_second(found.loaded.model.state_dict())
    model: ReidVit = filled(smaller, kept, source)
    sentence = f"{source}: every second of its {config.depth} blocks, {config.width} wide"
    provenance = {**found.provenance, "inherited": f"every {EVERY}nd block of {source}"}
    loaded = replace(found.loaded, model=model, config=smaller)
    return Origin(smaller, found.preprocess, loaded, sentence, provenance)


def every_second(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Blocks 1, 3, 5, ... (from 0) as blocks 0, 1, 2, ...; the rest as it is."""
    kept: dict[str, Tensor] = {}
    for name, value in tensors.items():
        block = _BLOCK.match(name)
        if name.startswith("projection."):
            continue
        if block is None:
            kept[name] = value
        elif int(block[1]) % EVERY == EVERY - 1:
            kept[name.replace(block[0], f"backbone.blocks.{int(block[1]) // EVERY}.")] = value
    return kept
