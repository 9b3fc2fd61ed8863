"""What the teacher is shown, what the losses see of a model, and that only the student moves."""

import numpy as np
import pytest
import torch

from personvit.core.preprocess import Preprocess
from personvit.train.distill.bridge import Bridge
from personvit.train.distill.recipe_files import load_recipe
from personvit.train.distill.seen import Eyes, Wanted, grid_of
from personvit.train.distill.stepper import DistillStepper, Guide, Trainee
from personvit.train.distill.terms import lessons
from personvit.train.distributed import World
from personvit.train.loader import TrainBatch
from personvit.train.optimiser import build_optimiser

HERE = World(torch.device("cpu"))
OURS = Preprocess(height=32, width=32)


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_the_teacher_sees_the_students_crops_in_its_own_way(colour):
    theirs = Preprocess(
        height=32, width=32, colour=colour, mean=(0.4, 0.45, 0.5), std=(0.2, 0.25, 0.3)
    )
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    found = Bridge(OURS, theirs)(torch.from_numpy(OURS.normalise(crops)))
    torch.testing.assert_close(found, torch.from_numpy(theirs.normalise(crops)), atol=1e-5, rtol=0)


def test_another_size_is_resampled_with_antialiasing():
    theirs = Preprocess(height=16, width=8)
    bridge = Bridge(OURS, theirs)
    stripes = torch.zeros(1, 3, 32, 32)
    stripes[..., ::2] = 1.0
    assert bridge(stripes).shape == (1, 3, 16, 8)
    torch.testing.assert_close(bridge(stripes).mean(), torch.tensor(0.5), atol=0.05, rtol=0)


@pytest.mark.parametrize("tokens", ["cls", "mean", "cls-drop-patch", "pass"])
def test_patches_lie_where_the_image_has_them(lively, tokens):
    neck = {"neck": "multi"} if tokens == "pass" else {}
    model = lively(tokens=tokens, height_px=64, depth=0, **neck)
    config = model.config
    tokens_seen = torch.arange(float(config.tokens_in_blocks)).view(1, -1, 1).expand(2, -1, 64)
    grid = grid_of(config, tokens_seen)
    assert grid.shape == (2, 64, 4, 2)
    first = config.leading_tokens - (1 if tokens == "cls-drop-patch" else 0)
    expected = first + torch.arange(8.0).view(4, 2)
    if tokens == "cls-drop-patch":
        expected[0, 0] = expected[0, 1]
    torch.testing.assert_close(grid[0, 0], expected)


def test_what_is_seen_is_what_the_model_answers(lively):
    model = lively(classes=5, neck_feature="after", projection=96)
    images = torch.rand(4, 3, 32, 32)
    seen = Eyes(model, HERE, Wanted(logits=True, grid=True)).knowing(images, None)
    with torch.no_grad():
        features = model(images)
        torch.testing.assert_close(
            torch.nn.functional.normalize(seen.embedding), model.embed(images)
        )
        torch.testing.assert_close(seen.before, features.before)
        torch.testing.assert_close(seen.logits, model.logits(features.after))
    assert seen.grid.shape == (4, 64, 2, 2)


def stepper_of(lively, *changes, **student):
    recipe = load_recipe("distill", ("loss.triplet_weight=0", "loss.identity_weight=0", *changes))
    ours, theirs = lively(**student), lively(width=96, heads=3).requires_grad_(False)
    bound = lessons(recipe.teach, ours.config, theirs.config)
    trainee = Trainee(ours, bound.heads)
    optimiser = build_optimiser(trainee, recipe.optimiser)
    guide = Guide(theirs, Bridge(OURS, OURS))
    return DistillStepper(trainee, guide, optimiser, recipe, bound, HERE, "off")


def batch_of(count=8):
    images = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return TrainBatch(images, None, torch.empty(count, 0), torch.arange(count) // 2)


def test_a_step_moves_the_student_and_the_heads_and_never_the_teacher(lively):
    stepper = stepper_of(lively)
    before = {name: value.clone() for name, value in stepper.model.state_dict().items()}
    teacher = {name: value.clone() for name, value in stepper.teacher.state_dict().items()}
    stepper.model.train()
    losses = stepper(batch_of())
    assert len(losses.values()) == len(stepper.names)
    moved = {
        name.split(".")[0]
        for name, value in stepper.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert moved == {"student", "heads"}
    for name, value in stepper.teacher.state_dict().items():
        assert torch.equal(value, teacher[name]), name
    assert not any(parameter.requires_grad for parameter in stepper.teacher.parameters())


def test_the_total_is_the_weighted_sum(lively):
    stepper = stepper_of(lively, "teach.relation_kl_weight=0.25", "teach.patches_weight=3")
    total, *parts = stepper.losses(batch_of()).values()
    names = [name.removesuffix("_loss") for name in stepper.names[1:]]
    weights = [getattr(stepper.recipe.teach, f"{name}_weight") for name in names]
    assert names == ["relation_kl", "embedding", "patches"]
    expected = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    torch.testing.assert_close(total.detach(), expected)


def test_evaluating_a_student_after_its_steps_needs_no_other_process(lively):
    stepper = stepper_of(lively)
    stepper(batch_of())
    model = stepper.student.eval()
    images = batch_of().images
    with torch.no_grad():
        assert model.embed(images).shape == (8, 64)
        torch.testing.assert_close(model.backbone(images).shape, torch.Size([8, 5, 64]))
