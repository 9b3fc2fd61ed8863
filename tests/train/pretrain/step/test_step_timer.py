"""The timer that the benchmark starts: a program that prints one JSON object."""

import json
import math

import torch

from personvit.train.pretrain import step_timer

SMALL = [
    "input.height=64", "input.width=32", "views.local_height=32", "views.local_width=16",
    "head.outputs=64", "head.hidden=32", "head.bottleneck=16", "masks.shape=random",
]  # fmt: skip


def test_it_times_every_step_of_a_batch_in_parts(monkeypatch, capsys):
    course = {"recipe": "demo", "set": SMALL, "batch": 4, "parts": 2, "steps": 2}
    monkeypatch.setattr("sys.argv", ["step_timer", json.dumps(course)])
    step_timer.main()
    found = json.loads(capsys.readouterr().out)
    assert len(found["seconds"]) == len(found["processor_seconds"]) == 2
    assert all(seconds > 0 for seconds in found["seconds"])
    assert found["threads"] == torch.get_num_threads()
    assert found["bytes_at_most"] >= found["bytes_before"] > 0
    assert math.isfinite(found["loss"])
