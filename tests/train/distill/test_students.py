"""The registry of students, walked: each can be built, taught for a step and stored."""

import pytest
import torch

from personvit.core.errors import InternalError
from personvit.core.models.native import load_native, save_native
from personvit.train.distill import student as registry
from personvit.train.distill.bridge import Bridge
from personvit.train.distill.recipe_files import load_recipe
from personvit.train.distill.stepper import DistillStepper, Guide, Trainee
from personvit.train.distill.student import Ask, students
from personvit.train.distill.teacher import open_teacher
from personvit.train.distill.terms import lessons
from personvit.train.distributed import World
from personvit.train.loader import TrainBatch
from personvit.train.optimiser import build_optimiser
from personvit.train.start import starting_model, training_config

RECIPE = ("input.height=64", "input.width=32")


@pytest.mark.parametrize("name", students())
def test_every_student_learns_from_a_teacher_and_is_stored(name, weights, tmp_path):
    recipe = load_recipe("distill", RECIPE)
    teacher = open_teacher(str(weights["teacher"]))
    start = students()[name].origin(Ask(teacher, recipe))
    projection = teacher.config.embedding
    config = training_config(start, recipe, 4, projection)
    model = starting_model(start, config, seed=1)
    bound = lessons(recipe.teach, config, teacher.config)
    trainee = Trainee(model, bound.heads)
    guide = Guide(teacher.model, Bridge(start.preprocess, teacher.preprocess))
    here = World(torch.device("cpu"))
    optimiser = build_optimiser(trainee, recipe.optimiser)
    stepper = DistillStepper(trainee, guide, optimiser, recipe, bound, here, "off")
    images = torch.rand(4, 3, 64, 32)
    trainee.train()
    drops = torch.ones(4, stepper.choices.slots)
    losses = stepper(TrainBatch(images, None, drops, torch.tensor([0, 0, 1, 1])))
    assert all(torch.isfinite(value) for value in losses.values())
    save_native(tmp_path / "student.safetensors", model, start.preprocess, {})
    stored = load_native(tmp_path / "student.safetensors")
    assert stored.config == config
    with torch.no_grad():
        torch.testing.assert_close(stored.model.embed(images), model.eval().embed(images))
    assert stored.config.embedding == projection


def test_names_are_unique_and_titles_are_one_line():
    found = students()
    assert {"vit-small", "vit-tiny", "vit-narrow", "vit-half"} <= set(found)
    assert all(one.title and "\n" not in one.title for one in found.values())


def test_a_file_without_a_student_is_our_bug(monkeypatch):
    modules = [type("Module", (), {"name": "vit_tiny"})()]
    monkeypatch.setattr(registry.pkgutil, "iter_modules", lambda path: modules)
    monkeypatch.setattr(registry.importlib, "import_module", lambda name: type(registry)(name))
    with pytest.raises(InternalError, match="defines no STUDENT"):
        students()
