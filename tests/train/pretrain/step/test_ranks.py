"""Two processes with half the batch each are one process with all of it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from personvit.train.distributed import World

WORKER = Path(__file__).with_name("ranks_worker.py")


@pytest.fixture(scope="module")
def runs(tmp_path_factory, learn):
    """What one process found, and what each of two did."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(folder)],
            env={**os.environ, **common, "OMP_NUM_THREADS": "1", "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE, text=True,
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    alone = learn(World(torch.device("cpu")))
    for process in processes:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
    return alone, [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


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
