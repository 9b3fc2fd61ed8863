"""The race of pre-training steps: what it refuses, and how a round's ratio is made."""

import pytest

from personvit.benchmark.pretrain_speed import PretrainSpeedOptions, _report, pretrain_speed
from personvit.benchmark.report import Setting
from personvit.core.errors import ConfigError


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
    report = _report(PretrainSpeedOptions(), Setting(), found, threads=1)
    assert report.facts["faster_than_iBOT float32"]["ours float32"] == [3.0, 3.0]
    assert report.facts["faster_than_iBOT float32_by_processor_time"]["ours float32"] == [2.0, 1.5]
    assert report.tables[0].rows[1] == (
        "ours float32", "5.50", "3.00 (3.00, 3.00)", "1.75 (2.00, 1.50)", "600"
    )  # fmt: skip
