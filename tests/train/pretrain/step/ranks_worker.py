"""One of the processes of test_ranks.py: takes its share of the batches and writes what it got."""

import sys
from pathlib import Path

import conftest
import torch

from personvit.train import distributed
from personvit.train.distributed import joined

distributed.PARCEL = 1 << 14  # so that this small model's gradients travel in several


def main():
    with joined("cpu") as world:
        torch.save(conftest.learn(world), Path(sys.argv[1]) / f"{world.rank}.pt")


if __name__ == "__main__":
    main()
