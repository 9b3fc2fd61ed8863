"""Two processes with half the batch each are one process with all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.utils import parameters_to_vector

WORKER = Path(__file__).with_name("ranks_worker.py")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What one process found, and what each of two did."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    folders = {size: tmp_path_factory.mktemp(f"ranks{size}") for size in (1, 2)}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    for size, folder in folders.items():
        starter = [*torchrun, f"--nproc-per-node={size}"] if size > 1 else [sys.executable]
        done = subprocess.run(
            [*starter, str(WORKER), str(folder)],
            env=environment, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return (
        torch.load(folders[1] / "0.pt", weights_only=False),
        [torch.load(folders[2] / f"{rank}.pt", weights_only=False) for rank in (0, 1)],
    )


def test_losses_and_gradients_are_those_of_one_process(runs):
    (alone, _), together = runs
    for steps, _ in together:
        for one, two in zip(alone, steps, strict=True):
            for name, value in one["losses"].items():
                torch.testing.assert_close(
                    two["losses"][name], value, rtol=1e-3, atol=1e-4, msg=name
                )
        for name, value in alone[0]["gradients"].items():
            torch.testing.assert_close(
                steps[0]["gradients"][name], value, rtol=1e-3, atol=1e-4, msg=name
            )


def test_centres_and_weights_are_those_of_one_process(runs):
    (_, alone), together = runs
    for _, state in together:
        for name in ("cls", "patch"):
            torch.testing.assert_close(
                state["centres"][name], alone["centres"][name], rtol=1e-4, atol=1e-5
            )
        for network in ("student", "teacher"):
            one, two = (parameters_to_vector(s[network].values()) for s in (alone, state))
            assert float((two - one).norm() / one.norm()) < 1e-3


def test_both_processes_have_the_same_weights_bit_for_bit(runs):
    (_, first), (_, second) = runs[1]
    for network in ("student", "teacher"):
        assert all(torch.equal(first[network][k], second[network][k]) for k in first[network])
