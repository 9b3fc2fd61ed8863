"""`personvit-data check`: what is wrong with a data set, before it spoils a number."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from ..command import argument, option
from ..errors import DataError
from ..preprocess import Preprocess
from .base import DISTRACTOR, UNKNOWN, DatasetFormat, ReidDataset, Sample
from .catalogue import recognised, stats
from .crops import stream

SYNTHETIC = "synth.json"
_SHOWN = 10


@dataclass(frozen=True)
class CheckOptions:
    """Verify a data set: layout, names, published counts, identities and matches of queries.

    Ends with 1 and the list of what is wrong. With --deep every image is decoded too.

    Example: personvit-data check /data/Market-1501-v15.09.15 --deep
    """

    root: Path = argument("The data set's folder, or the folder it lies in.")
    kind: str | None = option(None, "Its format, where it cannot be recognised.")
    deep: bool = option(False, "Decode every image and list the bad ones.")
    workers: int | None = option(
        None, "Threads for --deep; all processors by default.", low=1, high=1024
    )


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and the files or identities that show it."""

    text: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """What was found; `problems` is empty where all is well."""

    format: str
    root: str
    counts: Mapping[str, int]
    compared_with: str
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        return {"schema": 1, **asdict(self)}

    def as_text(self) -> str:
        lines = [f"{self.root}: {self.format}, counts compared with {self.compared_with}"]
        lines += [f"  {name}: {count}" for name, count in self.counts.items()]
        lines += [f"note: {note}" for note in self.notes]
        for problem in self.problems:
            lines.append(f"wrong: {problem.text}")
            lines += [f"    {item}" for item in problem.items[:_SHOWN]]
            if more := len(problem.items) - _SHOWN:
                lines += [f"    and {more} more"] if more > 0 else []
        lines.append("nothing is wrong" if not self.problems else _verdict(self.problems))
        return "\n".join(lines)


def check(options: CheckOptions) -> CheckReport:
    """Examine a data set; DataError with the whole report when something is wrong."""
    report = examine(options)
    if report.problems:
        raise DataError(f"{_verdict(report.problems)} in this data set\n{report.as_text()}")
    return report


def examine(options: CheckOptions) -> CheckReport:
    """The report, whatever it says."""
    format = recognised(options.root, options.kind)
    dataset = format.load(options.root)
    expected, compared_with = _expected(dataset, format)
    problems = [
        *_names(dataset),
        *_differences(stats(dataset), expected, compared_with),
        *_empty_splits(dataset, format),
        *_files(dataset),
        *_people(dataset),
        *_unmatched(dataset),
    ]
    if options.deep:
        problems += _bad_images(dataset, options.workers)
    notes = tuple(_notes(dataset, format, options.deep))
    return CheckReport(
        format.name, str(dataset.root), stats(dataset), compared_with, notes, tuple(problems)
    )


def _verdict(problems: Sequence[Problem]) -> str:
    return f"{len(problems)} thing{'s are' if len(problems) > 1 else ' is'} wrong"


def _expected(dataset: ReidDataset, format: DatasetFormat) -> tuple[Mapping[str, int], str]:
    """The published counts, or those that `synth` wrote beside its own pictures.

    Its occluded split lies two folders below its record.
    """
    for place in (dataset.root, *list(dataset.root.parents)[:2]):
        if (place / SYNTHETIC).is_file():
            source = f"{place / SYNTHETIC} (synthetic, not the published data set)"
            counts = _recorded(place / SYNTHETIC, format.name, own=place == dataset.root)
            return counts, source if counts else f"nothing: no {format.name} counts in {source}"
    if format.published:
        return format.published, "the published ones"
    return {}, "nothing (this layout has no published counts)"


def _recorded(path: Path, name: str, own: bool) -> Mapping[str, int]:
    """`counts` of the file, or its part for this format; a parent's own counts are not ours."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        counts = document.get("counts", document)
        counts = counts.get(name, counts if own else {})
        return {key: value for key, value in counts.items() if isinstance(value, int)}
    except (OSError, ValueError, AttributeError) as problem:
        raise DataError(
            f"{path}: damaged ({problem}); run 'personvit-data synth' again"
        ) from problem


def _names(dataset: ReidDataset) -> list[Problem]:
    unknown = tuple(left.path for left in dataset.left_out if left.reason == "unknown name")
    text = f"{len(unknown)} images have names that this layout does not know"
    return [Problem(text, unknown)] if unknown else []


def _differences(
    counts: Mapping[str, int], expected: Mapping[str, int], source: str
) -> list[Problem]:
    """Only counts that this version knows can differ."""
    wrong = tuple(
        f"{key}: {counts[key]} instead of {value} ({counts[key] - value:+d})"
        for key, value in expected.items()
        if key in counts and counts[key] != value
    )
    return [Problem(f"{len(wrong)} counts differ from {source}", wrong)] if wrong else []


def _empty_splits(dataset: ReidDataset, format: DatasetFormat) -> list[Problem]:
    empty = tuple(split for split, samples in dataset.splits().items() if not samples)
    if not empty or (not format.published and len(empty) < 3):
        return []
    return [Problem("there are no images in a split", empty)]


def _files(dataset: ReidDataset) -> list[Problem]:
    paths = Counter(sample.path for sample in _all(dataset))
    missing = tuple(path for path in paths if not (dataset.root / path).is_file())
    twice = tuple(path for path, times in paths.items() if times > 1)
    problems = [Problem(f"{len(missing)} listed images are missing", missing)] if missing else []
    return problems + ([Problem(f"{len(twice)} images are listed twice", twice)] if twice else [])


def _people(dataset: ReidDataset) -> list[Problem]:
    nobody = {DISTRACTOR, UNKNOWN}
    tested = {sample.identity for sample in (*dataset.query, *dataset.gallery)}
    shared = sorted({sample.identity for sample in dataset.train} & tested - nobody)
    problems = []
    if shared:
        names = tuple(f"identity {number}" for number in shared)
        problems.append(Problem(f"{len(shared)} identities are in train and in test", names))
    astray = tuple(
        sample.path for sample in (*dataset.train, *dataset.query) if sample.identity == DISTRACTOR
    )
    if astray:
        problems.append(Problem("distractors belong in the gallery only", astray))
    return problems


def _unmatched(dataset: ReidDataset) -> list[Problem]:
    cameras: dict[int, set[int]] = defaultdict(set)
    for sample in dataset.gallery:
        cameras[sample.identity].add(sample.camera)
    lonely = tuple(
        sample.path for sample in dataset.query if not cameras[sample.identity] - {sample.camera}
    )
    text = (
        f"{len(lonely)} of {len(dataset.query)} queries have no match in another camera's gallery; "
        "evaluation skips them"
    )
    return [Problem(text, lonely)] if lonely else []


def _bad_images(dataset: ReidDataset, workers: int | None) -> list[Problem]:
    samples = _all(dataset)
    small = Preprocess(height=16, width=8, filter="nearest")
    crops = stream(dataset.root, samples, small, 64, workers, skip_bad=True)
    with click.progressbar(length=len(samples), label="decoding", file=sys.stderr) as bar:
        for indices, _ in crops:
            bar.update(len(indices))
    bad = tuple(each.reason for each in crops.bad)
    return [Problem(f"{len(bad)} images cannot be decoded", bad)] if bad else []


def _notes(dataset: ReidDataset, format: DatasetFormat, deep: bool) -> list[str]:
    counts = Counter(left.reason for left in dataset.left_out)
    notes = []
    if others := counts["not an image"]:
        notes.append(f"{others} files that are not images were ignored")
    if not format.published:
        empty = [split for split, samples in dataset.splits().items() if not samples]
        notes += [f"no {split} images" for split in empty]
    if not deep:
        notes.append("images were not decoded; --deep does that")
    return notes


def _all(dataset: ReidDataset) -> list[Sample]:
    return [sample for samples in dataset.splits().values() for sample in samples]
