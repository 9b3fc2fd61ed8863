"""Memory stays flat and answers stay right, through the C interface, for several cameras."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from personvit.core.preprocess import Preprocess

STREAMS = 4
THREADS = 1
"""Of the engine. With more, OpenVINO's TBB keeps a note of every task for a thread that gets no
processor (oneTBB issue 1403): on an overloaded machine memory grows while that thread starves."""
PREPROCESS, DIMENSION = Preprocess(height=32, width=16), 24
WARM_UP = 0.5
MEGABYTE = 1024 * 1024
MOST_GROWTH = {"fake": 1 * MEGABYTE, "openvino": 2 * MEGABYTE}
"""After the warm-up, by the line through the samples."""


@dataclass(frozen=True)
class Run:
    embeds: NDArray[np.int64]
    resident: NDArray[np.int64]

    @property
    def growth(self) -> float:
        """Bytes from the end of the warm-up to the end of the run."""
        settled = self.embeds >= WARM_UP * self.embeds[-1]
        embeds, resident = self.embeds[settled], self.resident[settled]
        slope = np.polyfit(embeds - embeds[0], resident - resident[0], 1)[0]
        return float(slope) * int(embeds[-1] - embeds[0])

    def __str__(self) -> str:
        return (
            f"{self.embeds[-1]} embeds, resident {self.resident.min() / MEGABYTE:.1f} to "
            f"{self.resident.max() / MEGABYTE:.1f} MB, growth {self.growth / MEGABYTE:.3f} MB"
        )


@pytest.fixture(scope="module")
def pictures(shared, tmp_path_factory) -> list[Path]:
    """One of every kind, of a size of its own: what a camera's memory has to fit."""
    image_files = shared("deploy_jetson/runtime/image_files.py")
    folder = tmp_path_factory.mktemp("pictures")
    sizes = ((40, 20), (97, 41), (64, 32), (130, 66), (16, 16), (81, 39))
    kinds = (
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
    )
    paths = []
    for nth, ((height, width), (format, mode, settings)) in enumerate(
        zip(sizes, kinds, strict=True)
    ):
        pixels = image_files.picture(height, width, nth)
        paths.append(folder / f"{nth}")
        paths[-1].write_bytes(image_files.saved(pixels, format, mode, **settings))
    return paths


@pytest.fixture(scope="module")
def fake_bundle(shared, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("fake") / "fake.pvb"
    return shared("deploy_jetson/runtime/fake_model.py").write(path, PREPROCESS, DIMENSION)


@pytest.fixture
def endure(native_program, pictures):
    def run(bundle: Path, backend: str, embeds: int, rounds: int = 1) -> Run:
        words = (bundle, backend, THREADS, embeds, STREAMS, rounds, *pictures)
        done = subprocess.run(
            [native_program("endurance"), *map(str, words)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        samples = np.array([line.split() for line in done.stdout.splitlines()], dtype=np.int64)
        assert len(samples) >= min(embeds, 300)
        return Run(samples[:, 0], samples[:, 1])

    return run


def test_every_answer_is_right_while_cameras_share_an_engine(endure, fake_bundle):
    endure(fake_bundle, "fake", 4000)


@pytest.mark.slow
def test_a_million_embeds_take_no_more_memory(record_testsuite_property, endure, fake_bundle):
    run = endure(fake_bundle, "fake", 1_000_000)
    record_testsuite_property("a million embeds", str(run))
    assert run.growth <= MOST_GROWTH["fake"], run


@pytest.mark.slow
def test_opening_and_closing_leaves_nothing_behind(record_testsuite_property, endure, fake_bundle):
    run = endure(fake_bundle, "fake", 200_000, rounds=2000)
    record_testsuite_property("opening and closing", str(run))
    assert run.growth <= MOST_GROWTH["fake"], run


@pytest.mark.slow
def test_200_000_embeds_with_openvino_take_no_more_memory(
    record_testsuite_property, endure, small_bundle, tmp_path
):
    pytest.importorskip("openvino")
    run = endure(small_bundle.write(tmp_path / "m.pvb", "int8"), "openvino", 200_000)
    record_testsuite_property("200,000 embeds with OpenVINO", str(run))
    assert run.growth <= MOST_GROWTH["openvino"], run


def test_a_leak_would_be_seen():
    embeds = np.arange(0, 1_000_000, 2500)
    noise = np.random.default_rng(0).integers(0, 3, len(embeds)) * 64 * 1024
    assert abs(Run(embeds, 30 * MEGABYTE + noise).growth) <= MOST_GROWTH["fake"]
    assert Run(embeds, 30 * MEGABYTE + noise + 4 * embeds).growth > MOST_GROWTH["fake"]
