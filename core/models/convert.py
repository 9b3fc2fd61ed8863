"""From the tensors of a foreign family to our names, and the configuration that they imply."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..errors import CheckpointError
from .family import DeadGroup, Family, Weights
from .report import Changed, Dropped
from .strict import listing

_TRUNK = "backbone."
_OWN = ("bottleneck", "classifier.")


@dataclass(frozen=True)
class Converted:
    """Tensors under our names, with the way back to the file's names."""

    tensors: dict[str, Tensor]
    originals: dict[str, str]
    trunk: str
    family: Family
    dropped: tuple[Dropped, ...]
    changed: tuple[Changed, ...]

    def original(self, key: str) -> str:
        """What the file calls, or would call, one of our keys."""
        if key in self.originals:
            return self.originals[key]
        if key.startswith(_TRUNK):
            return self.trunk + key[len(_TRUNK) :]
        name, dot, rest = key.partition(".")
        return self.family.renames.get(name, name) + dot + rest


def convert(weights: Weights, family: Family) -> Converted:
    """Rename every key; drop the dead groups, each of which must be whole."""
    width = infer_width(weights)
    dropped = _drop_dead(weights, family, width)
    gone = {entry.key for entry in dropped}
    trunk = next(
        (name for name in family.trunks if name and weights.under(name)), family.trunks[-1]
    )
    names = {file_name: own for own, file_name in family.renames.items()}
    originals: dict[str, str] = {}
    for key in weights.tensors:
        if key not in gone:
            originals[_our_name(key, trunk, names)] = key
    tensors = {own: weights.tensors[key] for own, key in originals.items()}
    changed = _normalise_shapes(tensors, originals, distilled="dist_token" in gone)
    if family.needs_classifier and "classifier.weight" not in tensors:
        raise CheckpointError(
            f"{weights.where} looks like {family.title}, but 1 missing: classifier.weight; "
            "take the file as the training wrote it"
        )
    return Converted(tensors, originals, trunk, family, tuple(dropped), tuple(changed))


def _our_name(key: str, trunk: str, names: Mapping[str, str]) -> str:
    head, dot, rest = key.partition(".")
    if head in names:
        return names[head] + dot + rest
    if trunk and key.startswith(trunk):
        return _TRUNK + key[len(trunk) :]
    return key if trunk or key.startswith(_OWN) else _TRUNK + key


def _drop_dead(weights: Weights, family: Family, width: int) -> list[Dropped]:
    dropped: list[Dropped] = []
    for group in family.dead:
        present = [key for key in group.shapes if key in weights.tensors]
        if present:
            _check_group(weights, group, width)
            dropped += [Dropped(key, group.reason) for key in present]
    return dropped


def _check_group(weights: Weights, group: DeadGroup, width: int) -> None:
    sizes: dict[str, int] = {"D": width}
    for key, shape in group.shapes.items():
        if key not in weights.tensors:
            raise CheckpointError(
                f"{weights.where} is not whole, so nothing was loaded. 1 missing: {key} "
                f"({group.reason})"
            )
        actual = tuple(weights.tensors[key].shape)
        expected = tuple(
            size if isinstance(size, int) else sizes.setdefault(size, have)
            for size, have in zip(shape, actual, strict=False)
        )
        if len(actual) != len(shape) or expected != actual:
            raise CheckpointError(
                f"{weights.where} is damaged, so nothing was loaded. 1 of another shape: {key} is "
                f"{'x'.join(map(str, actual))} and does not agree with its {group.reason}"
            )


def _normalise_shapes(
    tensors: dict[str, Tensor], originals: Mapping[str, str], distilled: bool
) -> list[Changed]:
    changed: list[Changed] = []
    for key, new, reason in _reshapes(tensors, distilled):
        old = tensors[key]
        changed.append(Changed(originals[key], tuple(old.shape), tuple(new.shape), reason))
        tensors[key] = new
    return changed


def _reshapes(tensors: Mapping[str, Tensor], distilled: bool) -> list[tuple[str, Tensor, str]]:
    found = []
    key = "backbone.patch_embed.proj.weight"
    weight = tensors.get(key)
    if weight is not None and weight.ndim == 2:
        side = round((weight.shape[1] / 3) ** 0.5)
        if 3 * side * side == weight.shape[1]:
            square = weight.reshape(weight.shape[0], 3, side, side)
            found.append((key, square, "a linear patch layer written as a convolution"))
    key = "backbone.pos_embed"
    positions = tensors.get(key)
    if distilled and positions is not None and positions.ndim == 3:
        kept = positions[:, [0, *range(2, positions.shape[1])]]
        found.append((key, kept, "the distillation token's position goes with it"))
    return found


def infer_width(weights: Weights) -> int:
    """What most of the tensors that show it say, so that one wrong shape is found out."""
    seen: Counter[int] = Counter()
    for key, value in weights.tensors.items():
        last_norm = re.search(r"(^|\.)(norm|norm1|norm2)\.weight$", key)
        if value.ndim == 1 and last_norm:
            seen[value.shape[0]] += 1
        elif value.ndim == 3 and key.endswith(("cls_token", "pos_embed")):
            seen[value.shape[2]] += 1
    if not seen:
        raise CheckpointError(
            f"{weights.where} holds no vision transformer; its first keys are "
            f"{listing(sorted(weights.tensors))}"
        )
    return seen.most_common(1)[0][0]
