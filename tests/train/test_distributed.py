"""Two processes with half the batch each are one process with all of it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from personvit.core.errors import ConfigError
from personvit.train.distributed import World, check_share

MORE = ("optimiser.lr=1e-2", "model.drop_path=0.2")


def test_two_gloo_processes_equal_one(begin, command, one_thread, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    process = begin(command(alone, "--no-evaluate", set=MORE))
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    program = Path(sys.executable).with_name("personvit-train")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*torchrun, "--no-python", str(program), *command(together, "--no-evaluate", set=MORE)],
        env=one_thread,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    one, two = load_file(alone / "model.safetensors"), load_file(together / "model.safetensors")
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=2e-5, msg=name)


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ConfigError, match="64 crops cannot be shared evenly by 3 processes"):
        check_share(64, World(torch.device("cpu"), size=3))
