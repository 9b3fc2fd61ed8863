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
    assert found["flops"] > 0
    assert math.isfinite(found["loss"])


def test_a_device_is_waited_for_at_both_ends_of_every_step(monkeypatch):
    """A stand-in for a GPU, whose steps would seem short if only its loss were waited for."""
    events = []
    gauge = step_timer.Gauge(lambda: events.append("wait"), lambda: 7)
    step, clock = step_timer.Pretrainer.__call__, step_timer.time.perf_counter

    def noted(*words):
        events.append("step")
        return step(*words)

    def read():
        events.append("clock")
        return clock()

    monkeypatch.setattr(step_timer.Pretrainer, "__call__", noted)
    monkeypatch.setattr(step_timer.time, "perf_counter", read)
    found = step_timer.run(step_timer.Course("demo", SMALL, batch=4, steps=3), gauge)
    assert [event for event in events if event in ("wait", "step", "clock")] == [
        "wait", "clock", "step", "wait", "clock",
    ] * 3  # fmt: skip
    assert found["bytes_at_most"] == 7


def test_a_gpu_is_measured_by_its_own_allocator():
    gauge = step_timer.gauge_of(torch.device("cuda"))
    assert gauge.wait is torch.cuda.synchronize
    assert gauge.memory is torch.cuda.max_memory_allocated
