"""Frames out of a video or a camera, and into a new video."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from personvit.core.errors import ConfigError, DataError, EnvironmentMismatch

PATIENCE = 25
"""Frames in a row that may be missing before a source counts as ended."""
CODECS = {".mp4": "mp4v", ".avi": "MJPG"}

Frame = np.ndarray


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
        yield frames_of(cv2, capture), rate if 0 < rate < 1000 else 25.0
    finally:
        capture.release()


def frames_of(cv2: Any, capture: Any) -> Iterator[tuple[int, Frame]]:
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


def video_library() -> Any:
    if importlib.util.find_spec("cv2") is None:
        raise EnvironmentMismatch("reading videos needs OpenCV; pip install 'personvit[video]'")
    import cv2

    return cv2
