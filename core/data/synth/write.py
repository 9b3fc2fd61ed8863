"""Draws a plan with several processes into a temporary folder and renames it at the end."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from ...files import replacing_folder
from .attributes import REGION, shown, truth
from .captions import describe
from .plan import DISTRACTOR, GALLERY, JUNK, OCCLUDED, QUERY, TRAIN, Plan, Sizes
from .scene import Shot, World, person_of, render
from .seeds import Stream, generator

VERSION = 1
"""Raised whenever the same seed gives other pictures."""
CHUNK = 24

Record = tuple[str, int, tuple[str, str], dict[str, bool]]
"""Path, identity, caption and attributes of one picture."""


def write_tree(
    out: Path, world: World, sizes: Sizes, plan: Plan, workers: int | None
) -> tuple[Mapping[str, int], float]:
    start = time.monotonic()
    with replacing_folder(out) as part:
        names = [shot.path for shot in plan.shots] + [name for _, name in plan.links]
        for folder in {Path(name).parent for name in names}:
            (part / folder).mkdir(parents=True, exist_ok=True)
        records = sorted(_draw_all(part, world, plan.shots, workers or _cores()))
        for source, name in plan.links:
            _share(part / source, part / name)
        counts = _counts(plan, sizes)
        _write_annotations(part, world, sizes, records, counts)
    return counts, time.monotonic() - start


def _draw_all(root: Path, world: World, shots: Sequence[Shot], workers: int) -> Iterator[Record]:
    chunks = [shots[at : at + CHUNK] for at in range(0, len(shots), CHUNK)]
    draw = partial(_draw_chunk, root, world)
    bar = click.progressbar(length=len(shots), label="drawing", file=sys.stderr)
    with bar:
        for records in _spread(draw, chunks, min(workers, len(chunks))):
            bar.update(len(records))
            yield from records


def _spread(
    draw: partial[list[Record]], chunks: list[Sequence[Shot]], workers: int
) -> Iterable[list[Record]]:
    if workers == 1:
        yield from map(draw, chunks)
        return
    kind = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    with multiprocessing.get_context(kind).Pool(workers, _follow_parent, (os.getpid(),)) as pool:
        yield from pool.imap_unordered(draw, chunks)


def _follow_parent(parent: int) -> None:
    """Leave interrupts to the parent, and do not outlive one that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _draw_chunk(root: Path, world: World, shots: Sequence[Shot]) -> list[Record]:
    records = [_draw(root, world, shot) for shot in shots]
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)  # nobody is left to take them, which the pool would tell as a traceback
    return records


def _draw(root: Path, world: World, shot: Shot) -> Record:
    data, visible = render(world, shot)
    (root / shot.path).write_bytes(data)
    person = person_of(world, shot.subject)
    rng = generator(world.entropy, Stream.WORDS, shot.subject, shot.camera, shot.index)
    return shot.path, shot.identity, describe(rng, person, visible), shown(person, visible)


def _share(source: Path, name: Path) -> None:
    """One picture under two names costs its bytes once where the file system can."""
    try:
        os.link(source, name)
    except OSError:
        shutil.copyfile(source, name)


def _counts(plan: Plan, sizes: Sizes) -> dict[str, int]:
    def of(folder: str, junk: bool = False) -> list[Shot]:
        return [
            shot
            for shot in plan.shots
            if shot.path.startswith(folder + "/") and (shot.identity == JUNK) == junk
        ]

    train, query, gallery = of(TRAIN), of(QUERY), of(GALLERY)
    return {
        "train_images": len(train),
        "train_identities": len({shot.identity for shot in train}),
        "query_images": len(query),
        "query_identities": len({shot.identity for shot in query}),
        "gallery_images": len(gallery),
        "gallery_identities": len(
            {shot.identity for shot in gallery if shot.identity != DISTRACTOR}
        ),
        "cameras": sizes.cameras,
        "junk_images": len(of(GALLERY, junk=True)),
        "occluded_query_images": len(of(OCCLUDED)),
    }


def _write_annotations(
    root: Path, world: World, sizes: Sizes, records: Sequence[Record], counts: Mapping[str, int]
) -> None:
    captions = {path: list(sentences) for path, _, sentences, _ in records}
    _write_json(root / "captions.json", captions)
    with (root / "attributes.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "identity", *REGION])
        for path, identity, _, facts in records:
            writer.writerow([path, identity, *(int(facts[name]) for name in REGION)])
    with (root / "identities.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["identity", *REGION])
        for identity in range(1, sizes.identities + 1):
            facts = truth(person_of(world, identity))
            writer.writerow([identity, *(int(facts[name]) for name in REGION)])
    _write_json(
        root / "synth.json",
        {
            "version": VERSION,
            "seed": world.seed,
            "options": {
                "domain": world.domain.name,
                "height": world.height,
                "width": world.width,
                **asdict(sizes),
            },
            "counts": dict(counts),
            "notice": "Synthetic pedestrians, not people: no accuracy on real people follows.",
        },
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
