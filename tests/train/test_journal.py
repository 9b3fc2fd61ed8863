"""A run's log: every step once, and one TensorBoard file, however often it was resumed."""

import errno
import json
import os

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from personvit.train import journal as journals
from personvit.train.journal import Journal


def scalars(folder):
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return [
        (event.step, event.value, event.wall_time) for event in accumulator.Scalars("train/loss")
    ]


def test_a_resumed_run_has_one_tensorboard_file_with_what_the_log_kept(tmp_path, capsys):
    with Journal(tmp_path, 4, 0, quiet=False) as journal:
        for step in (1, 2, 3):
            journal.write(step, loss=float(step))
    before = scalars(tmp_path / "tensorboard")
    # Step 3 was lost with the machine.
    with Journal(tmp_path, 4, 2, quiet=False) as journal:
        journal.write(3, loss=30.0)
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
    after = scalars(tmp_path / "tensorboard")
    assert [(step, value) for step, value, _ in after] == [(1, 1.0), (2, 2.0), (3, 30.0)]
    assert [when for *_, when in after[:2]] == pytest.approx(
        [when for *_, when in before[:2]], abs=1
    )
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]


def test_a_log_with_torn_bytes_is_gone_on_with_and_a_full_disk_leaves_it(
    tmp_path, capsys, monkeypatch
):
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'{"step": 1, "loss": 1.0}\n{"step": 2, "lo\xff')

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            Journal(tmp_path, 4, 1, quiet=False)
    assert log.read_bytes().startswith(b'{"step": 1, "loss": 1.0}\n{"step": 2')
    with Journal(tmp_path, 4, 1, quiet=False) as journal:
        journal.write(2, loss=2.0)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2]


def test_where_stderr_is_a_file_a_line_tells_how_far_it_is(tmp_path, capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(journals.time, "monotonic", lambda: now[0])
    with Journal(tmp_path, 400, 100, quiet=False) as journal:
        for step in range(120, 401, 20):
            now[0] += 25.0
            journal.write(step, loss=float(step))
            journal.write(step, loss=float(step))  # an epoch's mean, after the last step's
            journal.write(step, map=0.5)  # a probe's numbers are no progress
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step")]
    assert told[0] == "step 120 of 400: loss 120, about 6 min left"
    assert [line.split()[1] for line in told] == ["120", "180", "240", "300", "360", "400"]
    assert told[-1].endswith("about 0 s left")
