"""A data set whose training pictures are those of a few people; the others have no labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

SPLITS = ("bounding_box_train", "query", "bounding_box_test")
FEWEST = 16
"""As many as a batch of the recipes has."""


def link_few(data: Path, few: Path, people: int) -> None:
    """Market-1501's layout again, with hard links: whole queries and gallery, fewer people.

    What is there already is made so, and nothing else stays.
    """
    for split in SPLITS:
        (few / split).mkdir(parents=True, exist_ok=True)
        chosen = _chosen(data, split, people)
        # Of an earlier call with more people.
        for left in {path.name for path in (few / split).iterdir()} - {one.name for one in chosen}:
            (few / split / left).unlink()
        for path in chosen:
            target = few / split / path.name
            if not target.exists():
                os.link(path, target)


def labelled_people(training_people: int, share: float) -> int:
    """How many people a share is; never too few to make a batch of."""
    return max(FEWEST, round(training_people * share))


def _chosen(data: Path, split: str, people: int) -> Sequence[Path]:
    paths = sorted((data / split).glob("*.jpg"))
    if split != SPLITS[0]:
        return paths
    names = sorted({path.name[:4] for path in paths})[:people]
    return [path for path in paths if path.name[:4] in names]
