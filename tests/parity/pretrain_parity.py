"""Compares a step of our pre-training with iBOT's own code, run from its checkout.

    make parity PEERS=/path/to/checkouts      (`ibot` inside; left out with a sentence if it is not)

The same random weights, centres, crops and masks go through both; losses, new centres and every
clipped gradient must agree. iBOT's tensors are loaded strictly into ours, names and all.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from personvit.benchmark.pretrain_peer import Published, crops, published
from personvit.train.distributed import World
from personvit.train.pretrain.batch import PretrainBatch
from personvit.train.pretrain.recipe_files import load_recipe
from personvit.train.pretrain.schedules import Moment
from personvit.train.pretrain.step import Pretrainer

TOLERANCE = 1e-5
COURSE = {
    "width": 128, "depth": 3, "batch": 3, "locals": 4, "drop_path": 0.0,
    "global": [256, 128], "local": [128, 64],
}  # fmt: skip
EPOCH = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", type=Path)
    checkout = parser.parse_args().peers / "ibot"
    if not (checkout / "main_ibot.py").is_file():
        sys.stdout.write(f"{checkout} is no checkout of bytedance/ibot: its step is not compared\n")
        return 0
    peer = published(checkout.resolve(), COURSE)
    worst = max(found for _, found in compare(peer))
    agreed = worst <= TOLERANCE
    sys.stdout.write(
        f"worst {worst:.2e}, allowed {TOLERANCE:.0e}: {'pass' if agreed else 'FAIL'}\n"
    )
    return 0 if agreed else 1


def compare(peer: Published) -> list[tuple[str, float]]:
    """Relative differences by name."""
    with torch.no_grad():
        peer.student.backbone.masked_embed.normal_(std=0.02)
        for parameter in peer.teacher.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    peer.loss.center.normal_(std=0.1)
    peer.loss.center2.normal_(std=0.1)
    ours = pretrainer(peer)
    images, masks = crops(COURSE)
    theirs = their_step(peer, images, masks)
    hidden = torch.stack([mask.flatten(1) for mask in masks[:2]])
    numbers = torch.zeros(len(images), COURSE["batch"], ours.drop_path_slots)
    batch = PretrainBatch(torch.stack(images[:2]), torch.stack(images[2:]), hidden, numbers)
    losses = ours([batch], Moment(EPOCH * 10, 10))
    gradients = dict(peer.student.named_parameters())
    pairs = [
        ("class-token loss", losses.dino, theirs["cls"]),
        ("patch loss", losses.mim, theirs["patch"]),
        ("centre of class tokens", ours.centres.cls, peer.loss.center[0]),
        ("centre of patches", ours.centres.patch, peer.loss.center2[0, 0]),
        *(
            (f"gradient of {name}", parameter.grad, gradients[name].grad)
            for name, parameter in ours.student.named_parameters()
        ),
    ]
    found = [(name, float((a - b).norm() / b.norm())) for name, a, b in pairs]
    shown = [*found[:4], max(found[4:], key=lambda pair: pair[1])]
    sys.stdout.write("".join(f"{name:42} {value:10.2e}\n" for name, value in shown))
    return found


def pretrainer(peer: Published) -> Pretrainer:
    recipe = load_recipe(
        "personvit-small",
        [f"views.local_count={COURSE['locals']}", f"batch.size={COURSE['batch']}"],
    )
    config = replace(recipe.model_config_of(), width=128, depth=3, heads=2, drop_path=0.0)
    made = Pretrainer(config, recipe, World(torch.device("cpu")), seed=0)
    made.student.load_state_dict(peer.student.state_dict())
    made.teacher.load_state_dict(peer.teacher.state_dict())
    made.centres.cls.copy_(peer.loss.center[0])
    made.centres.patch.copy_(peer.loss.center2[0, 0])
    return made


def their_step(
    peer: Published, images: list[torch.Tensor], masks: list[torch.Tensor]
) -> dict[str, torch.Tensor]:
    """What its loop does with a batch, up to the clipped gradients."""
    taught, said = peer.teacher(images[:2]), peer.student(images[:2], mask=masks[:2])
    peer.student.backbone.masked_im_modeling = False
    local = peer.student(images[2:])[0]
    found: dict[str, torch.Tensor] = peer.loss(said, taught, local, masks, EPOCH)
    found["loss"].backward()
    peer.utils.clip_gradients(peer.student, peer.args.clip_grad)
    return {name: value.detach() for name, value in found.items()}


if __name__ == "__main__":
    sys.exit(main())
