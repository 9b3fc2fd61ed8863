"""The operations of a step agree with those that PyTorch counts while it takes one."""

from dataclasses import replace

import pytest
from torch.utils.flop_counter import FlopCounterMode

from personvit.train.pretrain.schedules import Moment
from personvit.train.pretrain.step_flops import step_flops


def counted(pretrainer, parts):
    with FlopCounterMode(display=False) as counter:
        pretrainer(parts, Moment(0, 3))
    return counter.get_total_flops()


@pytest.mark.parametrize(
    "changes", [(), ("teacher.patch_centre=masked",), ("method=dino",), ("head.layers=2",)]
)
def test_a_steps_operations_are_those_that_are_counted(
    small_recipe, small_config, made_batch, made_pretrainer, changes
):
    recipe, config = small_recipe(*changes), small_config()
    # In bfloat16 attention runs as plain products on a CPU, and all of them are counted.
    pretrainer = made_pretrainer(recipe, config, amp="bf16")
    parts = [made_batch(recipe, images, pretrainer.drop_path_slots) for images in (2, 3)]
    # No gradient goes into the pixels.
    patches = sum(2 * len(part) * 8 + 3 * len(part) * 2 for part in parts)
    pixels = 2 * patches * 3 * config.patch**2 * config.width
    # Each part counts the row of its centre, of which products with one vector are not counted.
    rows = 2 * len(parts) * recipe.head.bottleneck * recipe.head.outputs
    asked = step_flops(config, recipe, parts)
    assert asked - pixels - rows <= counted(pretrainer, parts) <= asked - pixels


def test_more_images_are_more_work_and_a_wider_head_too(small_recipe, small_config, made_batch):
    recipe = small_recipe()
    one, two = (made_batch(recipe, images, 6) for images in (1, 2))
    config = small_config()
    assert step_flops(config, recipe, [two]) > step_flops(config, recipe, [one]) > 0
    wider = replace(config, width=64)
    assert step_flops(wider, recipe, [one]) > step_flops(config, recipe, [one])
    larger = small_recipe("head.outputs=4000")
    assert step_flops(config, larger, [one]) > step_flops(config, recipe, [one])
