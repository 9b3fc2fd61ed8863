"""Every data set format there is, and opening a folder by the one that recognises it."""

from __future__ import annotations

import pkgutil
from collections import Counter
from functools import cache
from importlib import import_module
from pathlib import Path

from ..errors import ConfigError, DataError
from .base import DISTRACTOR, UNKNOWN, DatasetFormat, ReidDataset

_SHOWN = 5


@cache
def formats() -> tuple[DatasetFormat, ...]:
    """The `FORMAT` of each file of this package, by name."""
    package = __name__.rpartition(".")[0]
    here = [str(Path(__file__).parent)]
    names = sorted(module.name for module in pkgutil.iter_modules(here) if not module.ispkg)
    modules = (import_module(f"{package}.{name}") for name in names)
    found = (vars(module).get("FORMAT") for module in modules)
    return tuple(each for each in found if isinstance(each, DatasetFormat))


def recognised(root: Path, kind: str | None = None) -> DatasetFormat:
    """The format named `kind`, or else the only one that recognises the folder."""
    if not root.is_dir():
        what = "this is a file, not a folder" if root.exists() else "no such folder"
        raise DataError(f"{root}: {what}; give the data set's folder")
    if kind is not None:
        return _named(kind)
    for rank in sorted({each.rank for each in formats()}):
        found = [each for each in formats() if each.rank == rank and each.recognise(root)]
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise DataError(f"{root}: looks like {names}; name one (--kind) or give its own folder")
        if found:
            return found[0]
    layouts = "".join(f"\n  {each.name}: {each.layout}" for each in formats())
    raise DataError(f"{root}: no data set is recognised here; known layouts:{layouts}")


def open_dataset(root: Path, kind: str | None = None) -> ReidDataset:
    """Load a data set. Images whose names say nothing are an error, never left out in silence."""
    dataset = recognised(root, kind).load(root)
    unknown = [left.path for left in dataset.left_out if left.reason == "unknown name"]
    if unknown:
        shown = ", ".join(unknown[:_SHOWN]) + (", ..." if len(unknown) > _SHOWN else "")
        raise DataError(
            f"{dataset.root}: {len(unknown)} images do not have names of the layout "
            f"{dataset.name} ({shown}); move them away, or see 'personvit-data check {root}'"
        )
    if not any(dataset.splits().values()):
        raise DataError(
            f"{dataset.root}: no images in this {dataset.name} data set; unpack it again"
        )
    return dataset


def stats(dataset: ReidDataset) -> dict[str, int]:
    """Images, identities and cameras of each split. Distractors are images but not identities."""
    counts: dict[str, int] = {}
    for split, samples in dataset.splits().items():
        people = {sample.identity for sample in samples} - {DISTRACTOR, UNKNOWN}
        counts[f"{split}_images"] = len(samples)
        counts[f"{split}_identities"] = len(people)
        counts[f"{split}_cameras"] = len({sample.camera for sample in samples} - {UNKNOWN})
    counts["gallery_distractors"] = sum(each.identity == DISTRACTOR for each in dataset.gallery)
    reasons = Counter(left.reason for left in dataset.left_out)
    counts["junk_images"] = reasons["junk"]
    counts["other_files"] = reasons["not an image"]
    return counts


def _named(kind: str) -> DatasetFormat:
    for each in formats():
        if each.name == kind:
            return each
    known = ", ".join(each.name for each in formats())
    raise ConfigError(f"no data set format is called {kind!r}; choose from {known}")
