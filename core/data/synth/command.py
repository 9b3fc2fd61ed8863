"""`personvit-data synth`: checks the options, draws the data set and moves it into place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...command import LARGEST_SEED, argument, option
from ...errors import ConfigError, DataError
from .domain import domain_of
from .plan import Sizes, make_plan
from .scene import World
from .write import write_tree

MOST_CAMERAS = 9
"""Loaders of Market-1501's names read one digit."""
MOST_IDENTITIES = 99_999


@dataclass(frozen=True)
class SynthOptions:
    """Draw a data set of synthetic pedestrians, for checking and demonstrating.

    The folder gets Market-1501's layout, captions.json, attributes.csv, synth.json and, under
    occluded/Occluded_Duke, a split whose queries are all occluded. Synthetic pedestrians are not
    people: nothing measured on them is an accuracy on real people.

    Example: personvit-data synth /tmp/pedestrians --identities 200 --cameras 6 --seed 7
    """

    out: Path = argument("the folder to make")
    identities: int = option(200, "how many different people", low=2, high=MOST_IDENTITIES)
    cameras: int = option(6, "how many cameras; everyone is seen by each", low=2, high=MOST_CAMERAS)
    seed: int = option(0, "the same seed gives the same bytes", low=0, high=LARGEST_SEED)
    images_per_camera: int = option(
        4, "pictures per identity and camera, queries included", low=2, high=1000
    )
    queries_per_camera: int = option(1, "of them, queries (test identities only)", low=1)
    domain: str = option(
        "campus", "campus, night, indoor, winter or lobby: light, colours, clothes"
    )
    height: int = option(256, "of a picture, in pixels", low=64, high=512)
    width: int = option(128, "of a picture, in pixels", low=32, high=256)
    train_fraction: float = option(0.5, "share of identities for training", low=0, high=1)
    train_identities: int | None = option(None, "their number, instead of the share", low=1)
    distractors: float = option(0.1, "gallery pictures of nobody sought, per other", low=0, high=10)
    workers: int | None = option(
        None, "processes; one per available core when not given", low=1, high=1024
    )


@dataclass(frozen=True)
class SynthReport:
    """What was drawn and where."""

    out: Path
    counts: Mapping[str, int]
    seconds: float

    def as_json(self) -> Mapping[str, Any]:
        return {
            "out": str(self.out),
            "counts": dict(self.counts),
            "seconds": round(self.seconds, 2),
        }

    def as_text(self) -> str:
        counts = self.counts
        return (
            f"{self.out}: {counts['train_images']} training pictures of "
            f"{counts['train_identities']} identities, {counts['query_images']} queries of "
            f"{counts['query_identities']}, {counts['gallery_images']} gallery pictures, "
            f"{counts['cameras']} cameras, {counts['occluded_query_images']} occluded queries "
            f"({self.seconds:.0f} s).\n"
            "Synthetic pedestrians are not people: nothing measured here is an accuracy on people."
        )


def synth(options: SynthOptions) -> SynthReport:
    """Draw the data set; the folder appears whole or not at all."""
    domain_of(options.domain)
    _refuse_out_of_range(options)
    training = _training_identities(options)
    _refuse_used_folder(options.out)
    if options.queries_per_camera >= options.images_per_camera:
        raise ConfigError(
            f"{options.queries_per_camera} queries per camera leave no gallery picture of "
            f"{options.images_per_camera}: raise --images-per-camera"
        )
    if not 1.2 <= options.height / options.width <= 4:
        raise ConfigError(
            f"{options.height}x{options.width} is no box of a standing person: "
            "use a height between 1.2 and 4 times the width, such as 256x128"
        )
    sizes = Sizes(
        identities=options.identities,
        train_identities=training,
        cameras=options.cameras,
        images_per_camera=options.images_per_camera,
        queries_per_camera=options.queries_per_camera,
        distractors=options.distractors,
        seed=options.seed,
    )
    world = World(options.seed, options.domain, options.height, options.width)
    counts, seconds = write_tree(options.out, world, sizes, make_plan(sizes), options.workers)
    return SynthReport(options.out, counts, seconds)


def _refuse_out_of_range(options: SynthOptions) -> None:
    """The shell checks this already; a script's values come here unchecked."""
    for field in fields(options):
        value, low, high = (
            getattr(options, field.name),
            field.metadata.get("low"),
            field.metadata.get("high"),
        )
        below = value is not None and low is not None and value < low
        above = value is not None and high is not None and value > high
        if below or above:
            bounds = f"at least {low}" if high is None else f"from {low} to {high}"
            name = "--" + field.name.replace("_", "-")
            raise ConfigError(f"{name} is {value}: choose a number {bounds}")


def _training_identities(options: SynthOptions) -> int:
    if options.train_identities is not None:
        number = options.train_identities
        source = f"--train-identities {number}"
    else:
        number = round(options.identities * options.train_fraction)
        source = f"--train-fraction {options.train_fraction}"
    if not 1 <= number <= options.identities - 1:
        raise ConfigError(
            f"{source} of {options.identities} identities leaves {number} for training and "
            f"{options.identities - number} for testing: both need at least one"
        )
    return number


def _refuse_used_folder(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()):
        raise DataError(f"{out} is not empty: choose a new folder, or empty it first")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file: choose a folder's name")
