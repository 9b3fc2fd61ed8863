"""One of the processes of test_ranks.py: takes its share of two batches and writes what it got."""

import sys
from pathlib import Path

import conftest
import torch

from personvit.train.distributed import joined
from personvit.train.pretrain.batch import PretrainBatch
from personvit.train.pretrain.schedules import Moment

IMAGES, PARTS = 4, 2


def share(batch, rank, size):
    """This process's images, in parts."""
    count = len(batch) // size
    mine = range(rank * count, (rank + 1) * count)
    tensors = (batch.globals, batch.locals, batch.masks, batch.drop_path)
    part = count // PARTS
    return [
        PretrainBatch(*(tensor[:, mine[start : start + part]] for tensor in tensors))
        for start in range(0, count, part)
    ]


def learn(world):
    recipe = conftest.small_recipe()
    pretrainer = conftest.made_pretrainer(recipe, world=world)
    found = []
    for step in range(3):
        batch = conftest.made_batch(recipe, IMAGES, pretrainer.drop_path_slots, step)
        losses = pretrainer(share(batch, world.rank, world.size), Moment(step, 2))
        values = {name: value for name, value in vars(losses).items() if name != "now"}
        gradients = {
            name: parameter.grad.clone()
            for name, parameter in pretrainer.student.named_parameters()
        }
        found.append({"losses": values, "gradients": gradients})
    return found, pretrainer.state()


def main():
    with joined("cpu") as world:
        torch.save(learn(world), Path(sys.argv[1]) / f"{world.rank}.pt")


if __name__ == "__main__":
    main()
