"""A killed distillation goes on bit by bit, and two processes are one."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

LONG = ("schedule.epochs=6",)
PATIENCE = 600


@pytest.fixture
def conduct(shared):
    return shared("train/conftest.py")


def finished(process):
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return errors


def test_killed_and_resumed_it_is_bitwise_the_same(conduct, command, tmp_path):
    out, whole = tmp_path / "killed", tmp_path / "whole"
    finished(conduct.begin(command(whole, set=LONG)))
    words = command(out, "--save-every-steps", "2", set=LONG)
    process = conduct.begin(words)
    step, end = random.randint(2, 8), time.monotonic() + PATIENCE  # noqa: S311
    while conduct.steps_logged(out) < step and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert "resuming after step" in finished(conduct.begin([*words, "--resume"]))
    one, other = (path / "model.safetensors" for path in (out, whole))
    assert one.read_bytes() == other.read_bytes()


def test_two_processes_equal_one(conduct, command, tmp_path):
    more = ("teach.relation_mse_weight=1", "model.drop_path=0.2", "optimiser.name=sgd")
    alone, together = tmp_path / "alone", tmp_path / "together"
    finished(conduct.begin(command(alone, set=more)))
    program = Path(sys.executable).with_name("personvit-train")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*torchrun, "--no-python", str(program), *command(together, set=more)],
        env=conduct.one_thread(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    one, two = (load_file(path / "model.safetensors") for path in (alone, together))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=2e-5, msg=name)
