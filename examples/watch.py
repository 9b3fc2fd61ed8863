"""Watch a video: boxes of people become crops, embeddings, names from a gallery, and a new video.

    python watch.py video.mp4 --boxes boxes.json --model model.pvb --gallery people/ -o seen.mp4
    python watch.py 0 --detector my_detector.py:find --home HOME --gallery people/ -o seen.mp4
    python watch.py --demo out/ --model model.pvb

`0` is a camera. Boxes come from a JSON (a list of {"frame": 0, "box": [x, y, width, height],
"track": 3}; tracks may be left out) or from your own function, which gets the frame's number and
its RGB pixels and returns `Box`es. The gallery is a folder with one folder of crops per person, or
what 'personvit-engine run' wrote. Beside the video lies a .jsonl: one line for each frame.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from watch_drawing import draw
from watch_gallery import Gallery, open_gallery, threshold_at
from watch_video import Frame, reading, video_library, writing

from personvit.core.errors import ConfigError, DataError, PersonvitError
from personvit.core.files import replacing
from personvit.engines.base import Engine, EngineOptions
from personvit.engines.catalogue import open_engine

SMALLEST = 4
"""Boxes of fewer pixels on a side show nobody."""

Vectors = np.ndarray


class Box(NamedTuple):
    """Left, top, width, height in pixels; `track` says which boxes show one person."""

    x: float
    y: float
    width: float
    height: float
    track: int | None = None


Detector = Callable[[int, Frame], Sequence[Box]]


class Sighting(NamedTuple):
    box: Box
    name: str
    similarity: float


@dataclass
class Seen:
    """What a run saw: how often each name, and in how many frames."""

    frames: int = 0
    names: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False

    def count(self, sightings: Sequence[Sighting]) -> None:
        self.frames += 1
        for sighting in sightings:
            self.names[sighting.name] = self.names.get(sighting.name, 0) + 1


class Tracks:
    """Smooths the embeddings of one track: its past weighs most, a bad moment little."""

    def __init__(self, memory: float = 0.9, patience: int = 100) -> None:
        self._memory, self._patience = memory, patience
        self._kept: dict[int, tuple[int, Vectors]] = {}

    def smooth(self, frame: int, boxes: Sequence[Box], vectors: Vectors) -> Vectors:
        smoothed = vectors.copy()
        for row, box in enumerate(boxes):
            if box.track is None:
                continue
            before = self._kept.get(box.track, (frame, np.zeros_like(vectors[row])))[1]
            total = self._memory * before + vectors[row]
            self._kept[box.track] = frame, total
            smoothed[row] = total / max(float(np.linalg.norm(total)), 1e-12)
        self._kept = {
            track: (last, total)
            for track, (last, total) in self._kept.items()
            if frame - last < self._patience
        }
        return smoothed


def watch(
    source: str,
    boxes: Detector,
    engine: Engine,
    gallery: Gallery,
    out: Path,
    threshold: float,
    *,
    limit: int | None = None,
    progress: Callable[[int], None] = lambda frame: None,
) -> Seen:
    """Name everyone in every frame; Ctrl-C ends it early with whole files."""
    seen, tracks = Seen(), Tracks()
    with reading(source) as (frames, rate), writing(out, rate) as put, noting(out) as log:
        try:
            for number, frame in frames:
                if limit is not None and seen.frames >= limit:
                    break
                sightings = recognise(number, frame, boxes, engine, gallery, tracks, threshold)
                put(draw(frame, sightings, gallery.people))
                log(number, number / rate, sightings)
                seen.count(sightings)
                progress(number)
        except KeyboardInterrupt:
            seen.interrupted = True
        if not seen.frames:
            raise DataError(f"{source}: not one frame could be read; check that it is a video")
    return seen


def recognise(
    number: int,
    frame: Frame,
    boxes: Detector,
    engine: Engine,
    gallery: Gallery,
    tracks: Tracks,
    threshold: float,
) -> list[Sighting]:
    """All people of a frame in one batch. Boxes that show no pixel of it are left out."""
    cut = [(box, crop_of(frame, box)) for box in boxes(number, frame)]
    shown = [(box, crop) for box, crop in cut if crop is not None]
    if not shown:
        return []
    crops = np.stack([engine.preprocess.resize(crop) for _, crop in shown])
    kept = [box for box, _ in shown]
    vectors = tracks.smooth(number, kept, engine.embed(crops))
    named = gallery.recognise(vectors, threshold)
    return [Sighting(box, *each) for box, each in zip(kept, named, strict=True)]


def crop_of(frame: Frame, box: Box) -> Frame | None:
    """The part of the box inside the picture, or nothing where too little is."""
    height, width = frame.shape[:2]
    left, right = (int(np.clip(round(at), 0, width)) for at in (box.x, box.x + box.width))
    top, bottom = (int(np.clip(round(at), 0, height)) for at in (box.y, box.y + box.height))
    if right - left < SMALLEST or bottom - top < SMALLEST:
        return None
    return frame[top:bottom, left:right]


def boxes_from(path: Path) -> Detector:
    """Boxes that were found before, by frame."""
    by_frame: dict[int, list[Box]] = {}
    try:
        for entry in json.loads(path.read_text()):
            x, y, width, height = (float(value) for value in entry["box"])
            track = entry.get("track")
            box = Box(x, y, width, height, None if track is None else int(track))
            if not np.isfinite(box[:4]).all():
                raise ValueError(f"a box of {entry['box']}")
            by_frame.setdefault(int(entry["frame"]), []).append(box)
    except FileNotFoundError as problem:
        raise DataError(f"{path}: no such file; give a JSON with boxes") from problem
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise DataError(
            f"{path}: boxes must be a list of objects such as "
            f'{{"frame": 0, "box": [x, y, width, height], "track": 3}} ({problem!r})'
        ) from problem
    return lambda number, frame: by_frame.get(number, [])


def detector_from(words: str) -> Detector:
    """A function in a file of yours, FILE.py:FUNCTION."""
    place, _, name = words.partition(":")
    spec = importlib.util.spec_from_file_location("detector", place)
    if not name or spec is None or spec.loader is None or not Path(place).is_file():
        raise ConfigError(f"--detector {words!r} must be FILE.py:FUNCTION, and the file be there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        raise ConfigError(f"{place} has no function {name!r}")
    return getattr(module, name)


@contextmanager
def noting(out: Path) -> Iterator[Callable[[int, float, Sequence[Sighting]], None]]:
    """One line of JSON for each frame, also where nobody is."""
    with replacing(out.with_suffix(".jsonl")) as part, part.open("w") as file:

        def log(number: int, seconds: float, sightings: Sequence[Sighting]) -> None:
            people = [
                {
                    "box": [round(value, 1) for value in each.box[:4]],
                    "track": each.box.track,
                    "name": each.name,
                    "similarity": round(each.similarity, 4),
                }
                for each in sightings
            ]
            line = {"frame": number, "seconds": round(seconds, 3), "people": people}
            file.write(json.dumps(line) + "\n")

        yield log


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Engine]:
    """The model, or what a home serves; a home's bundle has the threshold too."""
    if options.home is None:
        with open_engine(options.model, options.engine, EngineOptions()) as engine:
            yield engine
        return
    from personvit.deploy_jetson.home import open_home
    from personvit.deploy_jetson.serving import open_serving

    with open_serving(open_home(options.home)) as serving:
        if options.threshold is None:
            options.threshold = threshold_at(serving.slot.bundle, options.far)
        yield serving.engine


def main(words: Sequence[str] | None = None) -> int:
    options = parser().parse_args(words)
    try:
        check(options)
        if options.demo is not None:
            use_demo(options)
        with opened(options) as engine:
            seen = run(options, engine)
    except PersonvitError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return problem.exit_code
    except OSError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    names = ", ".join(f"{name} {count}" for name, count in sorted(seen.names.items()))
    print(f"{options.out}: {seen.frames} frames; {names or 'nobody'}")
    return 130 if seen.interrupted else 0


def check(options: argparse.Namespace) -> None:
    """Every mistake that can be seen before a model is opened."""
    if (options.model is None) == (options.home is None):
        raise ConfigError("say which model to use: --model BUNDLE, or --home of an installed one")
    if options.threshold is None and options.model is not None:
        if not options.model.endswith(".pvb"):
            raise ConfigError("bare weights carry no match threshold; give one with --threshold")
        options.threshold = threshold_at(Path(options.model), options.far)
    if options.demo is not None:
        return
    if options.source is None or options.gallery is None or options.out is None:
        raise ConfigError("give a video or a camera, --gallery and -o OUT.mp4 (or --demo DIR)")
    if (options.boxes is None) == (options.detector is None):
        raise ConfigError("say where the boxes come from: --boxes JSON or --detector FILE.py:NAME")


def use_demo(options: argparse.Namespace) -> None:
    """Draw the video, the boxes and the gallery, and watch those."""
    video_library()
    from watch_scene import FRAMES, make_demo

    demo = make_demo(options.demo, frames=options.frames or FRAMES)
    options.source, options.boxes = str(demo.video), demo.boxes
    options.gallery, options.out = demo.gallery, options.demo / "seen.mp4"


def run(options: argparse.Namespace, engine: Engine) -> Seen:
    boxes = boxes_from(options.boxes) if options.boxes else detector_from(options.detector)
    gallery = open_gallery(options.gallery, engine)
    out, limit = options.out, options.frames
    return watch(options.source, boxes, engine, gallery, out, options.threshold, limit=limit)


def positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("source", nargs="?", help="a video file, or the number of a camera")
    found.add_argument("--boxes", type=Path, help="a JSON with the boxes of each frame")
    found.add_argument("--detector", help="FILE.py:FUNCTION that finds them")
    found.add_argument("--model", help="a bundle or weights")
    found.add_argument("--home", type=Path, help="where 'personvit-deploy install' put its slots")
    found.add_argument("--engine", default="auto", help="of 'personvit-engine list'")
    found.add_argument("--gallery", type=Path, help="a folder per person, or a .npy")
    found.add_argument("-o", "--out", type=Path, help="the video to write, .mp4 or .avi")
    found.add_argument("--far", type=float, default=1e-3, help="false accepts per comparison")
    found.add_argument("--threshold", type=float, help="a cosine, in place of the bundle's")
    found.add_argument("--frames", type=positive, help="stop after so many")
    found.add_argument("--demo", type=Path, help="make a small video of drawn people, and watch it")
    return found


if __name__ == "__main__":
    sys.exit(main())
