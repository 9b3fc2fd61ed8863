"""The loop names the right people in a real video, and every odd input has an answer."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from personvit.core.errors import ConfigError, DataError, EnvironmentMismatch
from personvit.core.models.config import ModelConfig
from personvit.core.models.native import save_native
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.engines.catalogue import open_engine
from personvit.engines.embed_files import RunOptions, embed_files

THRESHOLD = 0.9
"""Between the people of the gallery (0.93 and more) and the strangers (0.86 and less)."""
FRAMES = 16


@pytest.fixture(scope="module")
def example(tree):
    """The example as a module, found as a script finds its neighbours."""
    sys.path.insert(0, str(tree / "examples"))
    yield importlib.import_module("watch")
    sys.path.remove(str(tree / "examples"))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Random weights, lively enough to tell clothes apart."""
    torch.manual_seed(0)
    settings = {"height_px": 64, "width_px": 32, "tokens": "mean"}
    made = build(ModelConfig(width=64, depth=2, heads=2, **settings)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_native(path, made, Preprocess(height=64, width=32), {"made": "by a test"})
    return path


@pytest.fixture(scope="module")
def demo(example, tmp_path_factory):
    scene = importlib.import_module("watch_scene")
    folder = tmp_path_factory.mktemp("demo")
    return scene.make_demo(folder, people=3, frames=FRAMES, size=(180, 320), seed=5)


@pytest.fixture(scope="module")
def engine(model):
    with open_engine(str(model)) as opened:
        yield opened


@pytest.fixture(scope="module")
def gallery(example, demo, engine):
    return example.open_gallery(demo.gallery, engine)


@pytest.fixture
def watched(example, demo, engine, gallery, tmp_path):
    """Watch the drawn video with other boxes or another source, and read what was written."""

    def run(boxes=None, source=None, out="seen.mp4", **options):
        boxes = boxes or example.boxes_from(demo.boxes)
        path = tmp_path / out
        seen = example.watch(
            source or str(demo.video), boxes, engine, gallery, path, THRESHOLD, **options
        )
        lines = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
        return seen, lines, path

    return run


def frames_of(path: Path) -> list[np.ndarray]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (picture := capture.read())[0]:
        found.append(picture[1])
    return found


def test_people_of_the_gallery_are_named_and_strangers_are_not(watched, demo):
    seen, lines, _ = watched()
    votes: dict[int, Counter[str]] = {}
    for line in lines:
        for person in line["people"]:
            votes.setdefault(person["track"], Counter())[person["name"]] += 1
    assert set(demo.names) < set(votes)
    for track, names in votes.items():
        right = demo.names.get(track, "unknown")
        assert names.most_common(1)[0][0] == right
        assert names[right] >= 0.9 * names.total()
    assert seen.names == sum(votes.values(), Counter())


@pytest.mark.parametrize("name", ["seen.mp4", "seen.avi"])
def test_every_frame_is_written_with_its_line(watched, demo, name):
    seen, lines, path = watched(out=name)
    before, after = frames_of(demo.video), frames_of(path)
    assert seen.frames == len(lines) == len(before) == len(after) == FRAMES
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    assert lines[5]["seconds"] == pytest.approx(5 / 25)
    boxes = json.loads(demo.boxes.read_text())
    wanted = [entry["box"] for entry in boxes if entry["frame"] == 7]
    assert sorted(person["box"] for person in lines[7]["people"]) == sorted(wanted)
    assert np.abs(before[7].astype(int) - after[7]).max() > 60, "nothing was drawn"
    assert sorted(each.name for each in path.parent.iterdir()) == sorted(["seen.jsonl", name])


def test_one_batch_per_frame(watched, engine, monkeypatch):
    sizes = []
    embed = type(engine).embed
    monkeypatch.setattr(
        type(engine), "embed", lambda self, crops: sizes.append(len(crops)) or embed(self, crops)
    )
    _, lines, _ = watched()
    assert sizes == [len(line["people"]) for line in lines if line["people"]]


def test_boxes_beside_the_picture_and_no_boxes(example, watched):
    def detector(number, frame):
        assert frame.shape == (180, 320, 3)
        if number % 2:
            return []
        return [
            example.Box(-500, 0, 100, 100),
            example.Box(10, 10, 0, 50),
            example.Box(300, 100, 400, 400, track=1),
            example.Box(-20, -20, 60, 90),
        ]

    _, lines, _ = watched(detector)
    assert [len(line["people"]) for line in lines[:4]] == [2, 0, 2, 0]
    assert lines[0]["people"][0]["track"] == 1


def test_stopping_early_leaves_whole_files(example, watched, demo):
    boxes = example.boxes_from(demo.boxes)

    def detector(number, frame):
        if number == 5:
            raise KeyboardInterrupt
        return boxes(number, frame)

    seen, lines, path = watched(detector)
    assert seen.interrupted
    assert seen.frames == len(lines) == len(frames_of(path)) == 5
    seen, lines, path = watched(limit=3)
    assert not seen.interrupted
    assert seen.frames == len(lines) == len(frames_of(path)) == 3


def test_a_broken_detector_leaves_nothing_half_written(watched, tmp_path):
    def detector(number, frame):
        if number == 3:
            raise RuntimeError("a bug of the user's")
        return []

    with pytest.raises(RuntimeError):
        watched(detector)
    assert list(tmp_path.iterdir()) == []


def test_numbers_stay_right_when_a_frame_is_missing(example):
    class Capture:
        pictures = iter([1, None, 2, None, None, 3])

        def read(self):
            shade = next(self.pictures, None)
            return shade is not None, np.full((2, 2, 3), shade or 0, np.uint8)

    frames = importlib.import_module("watch_video").frames_of
    found = [(number, int(frame[0, 0, 0])) for number, frame in frames(cv2, Capture())]
    assert found == [(0, 1), (2, 2), (5, 3)]


def test_nobody_is_in_a_picture_twice(example):
    gallery = example.Gallery(("Ada", "Ben", "Ada"), np.eye(3, dtype=np.float32))
    vectors = np.array([[0.9, 0.1, 0], [0.8, 0.6, 0], [0, 0, 0.3]], np.float32)
    found = gallery.recognise(vectors, 0.5)
    assert [name for name, _ in found] == ["Ada", "Ben", "unknown"]
    assert found[1][1] == pytest.approx(0.6)
    assert found[2][1] == pytest.approx(0.3)


def test_a_track_outlives_a_bad_moment(example):
    tracks, good = example.Tracks(), np.array([1, 0], np.float32)
    boxes = [example.Box(0, 0, 9, 9, track=4), example.Box(0, 0, 9, 9)]
    for frame in range(10):
        tracks.smooth(frame, boxes, np.stack([good, good]))
    bad = np.array([0, 1], np.float32)
    smoothed = tracks.smooth(10, boxes, np.stack([bad, bad]))
    assert smoothed[0] @ good > 0.9
    np.testing.assert_array_equal(smoothed[1], bad)
    forgotten = tracks.smooth(500, boxes[:1], bad[None])
    assert forgotten[0] @ bad > 0.1
    tracks.smooth(501, [], np.empty((0, 2), np.float32))
    after = tracks.smooth(700, boxes[:1], good[None])
    assert after[0] @ good > 0.7


def test_a_gallery_of_embeddings_serves_as_well(example, demo, engine, model, gallery, tmp_path):
    out = tmp_path / "gallery.npy"
    embed_files(RunOptions(str(model), (demo.gallery,), out))
    found = example.open_gallery(out, engine)
    assert found.people == gallery.people == sorted(demo.names.values())
    np.testing.assert_allclose(found.vectors, gallery.vectors, atol=1e-4)
    about = json.loads(out.with_name("gallery.npy.json").read_text())
    out.with_name("gallery.npy.json").write_text(json.dumps({**about, "space": "another"}))
    with pytest.raises(DataError, match="embed the gallery with this model"):
        example.open_gallery(out, engine)


def test_the_threshold_is_the_bundles(example, small_bundle, tmp_path):
    from personvit.core.bundle import Bundle, write_bundle

    plain = small_bundle.write(tmp_path / "plain.pvb", "fp32")
    with pytest.raises(ConfigError, match="no match thresholds"):
        example.threshold_at(plain, 1e-3)
    bundle = Bundle.open(plain)
    members = {name: bundle.read(name) for name in bundle.entries if name != "manifest.json"}
    rows = [{"far": 0.01, "threshold": 0.6}, {"far": 0.001, "threshold": None}]
    members["thresholds.json"] = json.dumps({"candidate": rows}).encode()
    rich = write_bundle(tmp_path / "rich.pvb", bundle.manifest, members).path
    assert example.threshold_at(rich, 0.01) == 0.6
    with pytest.raises(ConfigError, match=r"at 0\.01, not at 0\.001; say --far 0\.01, or"):
        example.threshold_at(rich, 0.001)


@pytest.mark.parametrize(
    "text", ["{", "{}", "[3]", '[{"frame": 0}]', '[{"frame": 0, "box": [1, 2, 3]}]',
             '[{"frame": 0, "box": [1, 2, 3, NaN]}]']
)  # fmt: skip
def test_bad_boxes_are_refused(example, tmp_path, text):
    path = tmp_path / "boxes.json"
    path.write_text(text)
    if text != "{}":
        with pytest.raises(DataError, match="boxes"):
            example.boxes_from(path)
    with pytest.raises(DataError, match="no such file"):
        example.boxes_from(tmp_path / "none.json")


def test_refusals(example, watched, engine, tmp_path, monkeypatch):
    nothing = tmp_path / "nothing.mp4"
    nothing.write_bytes(b"no video at all")
    for source in (str(nothing), str(tmp_path / "none.mp4"), "77"):
        with pytest.raises(DataError, match="video"):
            watched(source=source)
    with pytest.raises(ConfigError, match="mp4"):
        watched(out="seen.gif")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="one folder for each person"):
        example.open_gallery(tmp_path / "empty", engine)
    for words in ("nowhere.py:find", f"{__file__}:nothing_here", __file__):
        with pytest.raises(ConfigError):
            example.detector_from(words)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentMismatch, match=r"personvit\[video\]"):
        watched()


def test_it_runs_as_its_first_lines_say(tree, demo, small_bundle, tmp_path):
    model = small_bundle.write(tmp_path / "model.pvb", "fp32")
    detector = tmp_path / "my_detector.py"
    detector.write_text(
        "from watch import Box\n\ndef find(number, frame):\n    return [Box(40, 40, 60, 120)]\n"
    )
    script = [sys.executable, tree / "examples/watch.py", "--threshold", "0.5", "--model", model]
    end = ["--gallery", demo.gallery, "-o", tmp_path / "seen.mp4"]

    def run(*words) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*map(str, script), *map(str, words)], capture_output=True, text=True, cwd=tmp_path
        )

    drawn = run("--demo", tmp_path / "out", "--frames", 2)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.startswith(f"{tmp_path}/out/seen.mp4: 2 frames; ")
    own = run(demo.video, "--detector", f"{detector}:find", *end, "--frames", 2)
    assert own.returncode == 0, own.stderr
    assert len(frames_of(tmp_path / "seen.mp4")) == 2
    refused = run(demo.video, *end)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "--boxes" in refused.stderr


def test_mistakes_are_told_before_work(example, model, small_bundle, tmp_path, capsys):
    plain = small_bundle.write(tmp_path / "plain.pvb", "fp32")
    demo = ["--demo", str(tmp_path / "out")]
    for words, sentence in (
        (demo, "--model BUNDLE, or --home"),
        ([*demo, "--model", str(model)], "bare weights carry no match threshold"),
        ([*demo, "--model", str(plain)], "it holds no match thresholds"),
        (["--model", str(plain), "--threshold", "0.5"], "--demo DIR"),
    ):
        assert example.main(words) == 1
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_it_serves_from_what_is_installed(example, demo, small_bundle, tmp_path, monkeypatch):
    from personvit.deploy_jetson.install import InstallOptions, install

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    home = tmp_path / "home"
    bundle = small_bundle.write(tmp_path / "small.pvb", "fp32")
    install(InstallOptions(bundle, home, "openvino"))
    out = tmp_path / "seen.mp4"
    words = ["--home", home, demo.video, "--boxes", demo.boxes, "--gallery", demo.gallery]
    words += ["--threshold", "0.9", "-o", out, "--frames", 2]
    assert example.main([str(word) for word in words]) == 0
    assert len(frames_of(out)) == 2
