"""The race of pre-training steps: what it refuses, and how a round's ratio is made."""

import json

import pytest
import torch

from personvit.benchmark import pretrain_speed as race
from personvit.benchmark.pretrain_speed import PretrainSpeedOptions, pretrain_speed
from personvit.benchmark.pretrain_speed_report import Course, speed_report
from personvit.benchmark.report import Setting
from personvit.core.errors import ConfigError, EnvironmentMismatch


@pytest.mark.parametrize(
    ("peer", "sentence"),
    [
        ("ibot", "--peer takes ibot=FOLDER, not 'ibot'"),
        ("dino=/x", "--peer takes ibot=FOLDER"),
        ("ibot=.", "is no checkout of bytedance/ibot: it lacks main_ibot.py"),
    ],
)
def test_a_peer_that_is_none_is_refused_before_anything_runs(peer, sentence):
    with pytest.raises(ConfigError, match=sentence):
        pretrain_speed(PretrainSpeedOptions(peer=peer))


def run(seconds, processor, memory):
    return {
        "seconds": [99.0, *seconds],  # the first step warms up
        "processor_seconds": [99.0, *processor],
        "bytes_at_most": memory << 20,
    }


def test_ratios_are_of_one_round_and_leave_the_first_step_out():
    found = {
        "iBOT float32": [run([2, 4, 3], [6, 6, 6], 900), run([30, 30, 30], [6, 6, 6], 950)],
        "ours float32": [run([1, 1, 2], [3, 3, 3], 500), run([10, 10, 10], [4, 4, 4], 600)],
    }
    report = speed_report("", Setting(), Course(16, 8, threads=1), found)
    assert report.facts["faster_than_iBOT float32"]["ours float32"] == [3.0, 3.0]
    assert report.facts["faster_than_iBOT float32_by_processor_time"]["ours float32"] == [2.0, 1.5]
    assert report.tables[0].rows[1] == (
        "ours float32", "5.50", "3.00 (3.00, 3.00)", "1.75 (2.00, 1.50)", "600"
    )  # fmt: skip


H200 = {"name": "NVIDIA H200", "kind": "cuda", "capability": [9, 0]}


@pytest.fixture
def on_a_card(monkeypatch, tmp_path):
    """Runs the race as if on a GPU: every loop's answer is made up, and its words are kept."""
    asked = []

    def answer(words, threads):
        course = json.loads(words[-1])
        asked.append((words[0].rpartition(".")[2], course))
        seconds = 0.4 if "personvit" in course.get("recipe", "") else 0.8
        steps = [9.0, *[seconds] * (course["steps"] - 1)]
        found = {"seconds": steps, "processor_seconds": steps, "bytes_at_most": 3 << 30}
        return found | ({"flops": int(98.95e12)} if "recipe" in course else {})

    monkeypatch.setattr(race, "_run", answer)
    monkeypatch.setattr(race, "device_here", lambda kind: H200)
    (tmp_path / "main_ibot.py").touch()
    return asked


def test_on_a_gpu_images_per_second_and_the_share_of_the_peak_are_told(on_a_card, tmp_path):
    options = PretrainSpeedOptions(
        peer=f"ibot={tmp_path}", batch=64, rounds=2, device="cuda", out=tmp_path / "out"
    )
    report = pretrain_speed(options)
    rows = {row[0]: row[1:] for row in report.tables[0].rows}
    assert rows["ours bf16"] == ("0.4000", "2.00 (2.00, 2.00)", "160", "247.4", "25.0 %", "3072")
    assert rows["ours float32"][-2] == "-"
    assert rows["iBOT fp16"][-2] == "12.5 %"
    assert report.facts["usage"]["ours bf16"]["share"] == pytest.approx(0.25)
    assert "on NVIDIA H200" in report.title
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {"pretrain_speed_nvidia-h200"}
    assert all(course["device"] == "cuda" for _, course in on_a_card)
    peers = [course["fp16"] for module, course in on_a_card if module == "pretrain_peer"]
    assert sorted(set(peers)) == [False, True]


def test_a_peak_that_is_said_is_taken_and_an_unknown_one_leaves_no_share(on_a_card, monkeypatch):
    said = pretrain_speed(PretrainSpeedOptions(device="cuda", peak=494.75))
    assert said.facts["usage"]["ours bf16"]["share"] == pytest.approx(0.5)
    monkeypatch.setattr(race, "device_here", lambda kind: {"name": "NVIDIA Something"})
    unknown = pretrain_speed(PretrainSpeedOptions(device="cuda"))
    assert unknown.facts["usage"]["ours bf16"]["share"] is None
    assert "say it with --peak" in unknown.as_markdown()


def test_without_a_gpu_nothing_is_timed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentMismatch, match="no CUDA device"):
        pretrain_speed(PretrainSpeedOptions(device="cuda"))
