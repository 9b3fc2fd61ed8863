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
from typing import Any, NamedTuple

import numpy as np
from watch_drawing import draw

from personvit.core.errors import ConfigError, DataError, EnvironmentMismatch, PersonvitError
from personvit.core.files import replacing
from personvit.core.images import SUFFIXES, read_image
from personvit.engines.base import Engine, EngineOptions
from personvit.engines.catalogue import open_engine

UNKNOWN = "unknown"
PATIENCE = 25
"""Frames in a row that may be missing before a source counts as ended."""
CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
SMALLEST = 4
"""Boxes of fewer pixels on a side show nobody."""

Frame = np.ndarray
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


@dataclass(frozen=True)
class Gallery:
    """Embeddings of people whose names are known, several of each."""

    names: tuple[str, ...]
    vectors: Vectors

    @property
    def people(self) -> list[str]:
        return sorted(set(self.names))

    def similarities(self, vectors: Vectors) -> np.ndarray:
        """For each vector and person the cosine to the most similar crop."""
        whose = np.array(self.names)
        cosines = vectors @ self.vectors.T
        return np.stack([cosines[:, whose == name].max(axis=1) for name in self.people], axis=1)

    def recognise(self, vectors: Vectors, threshold: float) -> list[tuple[str, float]]:
        """Each person once per picture: the best match takes the name, the next its next best."""
        scores = self.similarities(vectors)
        found = [(UNKNOWN, float(row.max())) for row in scores]
        taken_rows: set[int] = set()
        taken_people: set[int] = set()
        for flat in np.argsort(-scores, axis=None, kind="stable"):
            row, person = divmod(int(flat), scores.shape[1])
            if scores[row, person] < threshold:
                break
            if row not in taken_rows and person not in taken_people:
                found[row] = self.people[person], float(scores[row, person])
                taken_rows.add(row)
                taken_people.add(person)
        return found


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
    with reading(source) as (frames, rate), writing(out, rate) as put, logging(out) as log:
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


def open_gallery(place: Path, engine: Engine) -> Gallery:
    """Crops in folders named after people, or embeddings and what lies beside them."""
    if place.suffix == ".npy":
        return _embedded(place, engine)
    paths = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
    named = [(path.parent.name, path) for path in paths if path.parent != place]
    if not named:
        raise DataError(f"{place}: no crops here; make one folder for each person, NAME/crop.jpg")
    crops = np.stack([engine.preprocess.resize(read_image(path)) for _, path in named])
    return Gallery(tuple(name for name, _ in named), engine.embed(crops))


def _embedded(place: Path, engine: Engine) -> Gallery:
    beside = place.with_name(place.name + ".json")
    if not place.is_file() or not beside.is_file():
        raise DataError(f"{place}: give the .npy of 'personvit-engine run' and its .json beside it")
    about = json.loads(beside.read_text())
    own = next(spec.space for spec in engine.outputs if spec.meaning == "embedding")
    if about.get("space") != own:
        raise DataError(
            f"{place}: these embeddings lie in the space {about.get('space')} and the model's in "
            f"{own}; embed the gallery with this model"
        )
    vectors = np.load(place)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return Gallery(tuple(Path(name).parent.name for name in about["images"]), vectors)


def threshold_at(bundle: Path, far: float) -> float:
    """The bundle's own threshold at a rate of false accepts."""
    from personvit.core.bundle import Bundle

    opened = Bundle.open(bundle)
    mend = "give one with --threshold"
    if not opened.manifest.has("thresholds.json"):
        raise ConfigError(f"{bundle}: it holds no match thresholds; {mend}")
    rows: Any = opened.json("thresholds.json")
    known = {row["far"]: row["threshold"] for row in rows["candidate"] if row["threshold"]}
    if far not in known:
        rates = ", ".join(f"{rate:g}" for rate in known) or "none"
        raise ConfigError(f"{bundle}: it has thresholds at {rates}, not at {far:g}; {mend}")
    return float(known[far])


@contextmanager
def reading(source: str) -> Iterator[tuple[Iterator[tuple[int, Frame]], float]]:
    """Numbered RGB frames of a file or a camera, and how many make a second."""
    cv2 = video_library()
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not capture.isOpened():
        what = f"the camera {source}" if source.isdigit() else source
        raise DataError(f"{what} cannot be opened as a video; check that it is there and readable")
    rate = capture.get(cv2.CAP_PROP_FPS)
    try:
        yield _frames(cv2, capture), rate if 0 < rate < 1000 else 25.0
    finally:
        capture.release()


def _frames(cv2: Any, capture: Any) -> Iterator[tuple[int, Frame]]:
    """A frame that cannot be decoded is left out, and the numbers of the others stay right."""
    number, missing = 0, 0
    while missing < PATIENCE:
        good, picture = capture.read()
        missing = 0 if good else missing + 1
        if good:
            yield number, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        number += 1


@contextmanager
def writing(out: Path, rate: float) -> Iterator[Callable[[Frame], None]]:
    """Takes RGB frames; the video appears under its name when it is whole."""
    cv2 = video_library()
    code = CODECS.get(out.suffix)
    if code is None:
        raise ConfigError(f"{out}: the video's name ends in {' or '.join(CODECS)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.stem}.part{out.suffix}")
    writer: Any = None
    size = (0, 0)

    def put(frame: Frame) -> None:
        nonlocal writer, size
        if writer is None:
            size = frame.shape[1], frame.shape[0]
            writer = cv2.VideoWriter(str(part), cv2.VideoWriter_fourcc(*code), rate, size)
            if not writer.isOpened():
                raise EnvironmentMismatch(f"this OpenCV cannot write {out.suffix}; try .avi")
        if frame.shape[1::-1] != size:
            frame = cv2.resize(frame, size)
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    try:
        yield put
        if writer is not None:
            writer.release()
            part.replace(out)
    finally:
        if writer is not None:
            writer.release()
        part.unlink(missing_ok=True)


@contextmanager
def logging(out: Path) -> Iterator[Callable[[int, float, Sequence[Sighting]], None]]:
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


def video_library() -> Any:
    if importlib.util.find_spec("cv2") is None:
        raise EnvironmentMismatch("reading videos needs OpenCV; pip install 'personvit[video]'")
    import cv2

    return cv2


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[tuple[Engine, Path | None]]:
    """The engine, and the bundle whose thresholds go with it."""
    if options.home is not None:
        from personvit.deploy_jetson.home import open_home
        from personvit.deploy_jetson.serving import open_serving

        with open_serving(open_home(options.home)) as serving:
            yield serving.engine, serving.slot.bundle
    else:
        with open_engine(options.model, options.engine, EngineOptions()) as engine:
            yield engine, Path(options.model) if options.model.endswith(".pvb") else None


def main(words: Sequence[str] | None = None) -> int:
    options = parser().parse_args(words)
    try:
        if options.demo is not None:
            use_demo(options)
        check(options)
        with opened(options) as (engine, bundle):
            seen = run(options, engine, bundle)
    except PersonvitError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return problem.exit_code
    names = ", ".join(f"{name} {count}" for name, count in sorted(seen.names.items()))
    print(f"{options.out}: {seen.frames} frames; {names or 'nobody'}")
    return 130 if seen.interrupted else 0


def check(options: argparse.Namespace) -> None:
    """Every mistake that can be seen before a model is opened."""
    if options.source is None or options.gallery is None or options.out is None:
        raise ConfigError("give a video or a camera, --gallery and -o OUT.mp4 (or --demo DIR)")
    if (options.boxes is None) == (options.detector is None):
        raise ConfigError("say where the boxes come from: --boxes JSON or --detector FILE.py:NAME")
    if (options.model is None) == (options.home is None):
        raise ConfigError("say which model to use: --model BUNDLE, or --home of an installed one")


def use_demo(options: argparse.Namespace) -> None:
    """Draw the video, the boxes and the gallery, and watch those."""
    video_library()
    from watch_scene import FRAMES, make_demo

    demo = make_demo(options.demo, frames=options.frames or FRAMES)
    options.source, options.boxes = str(demo.video), demo.boxes
    options.gallery, options.out = demo.gallery, options.demo / "seen.mp4"


def run(options: argparse.Namespace, engine: Engine, bundle: Path | None) -> Seen:
    boxes = boxes_from(options.boxes) if options.boxes else detector_from(options.detector)
    threshold = options.threshold
    if threshold is None:
        if bundle is None:
            raise ConfigError("bare weights carry no match threshold; give one with --threshold")
        threshold = threshold_at(bundle, options.far)
    gallery = open_gallery(options.gallery, engine)
    return watch(
        options.source, boxes, engine, gallery, options.out, threshold, limit=options.frames
    )


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
