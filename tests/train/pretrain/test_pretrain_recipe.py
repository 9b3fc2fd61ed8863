"""Pre-training recipes: every number named, every guess marked, complaints that help."""

import re
from importlib import resources

import pytest
import tomllib

from personvit.core.errors import ConfigError
from personvit.train.pretrain import recipes
from personvit.train.pretrain.masks import Masker
from personvit.train.pretrain.recipe import PretrainRecipe
from personvit.train.pretrain.recipe_files import load_recipe, recipe_names

KNOWN = {
    "title", "method", "input.height", "input.width", "masks.shape", "head.outputs",
    "loss.dino_weight", "loss.mim_weight", "schedule.epochs", "model.architecture",
    "batch.accumulate",
}  # fmt: skip
"""What the published files and the paper tell, and what is no hyper-parameter."""


def text_of(name):
    return (resources.files(recipes) / f"{name}.toml").read_text()


def test_every_shipped_recipe_is_valid_and_its_masks_can_be_drawn():
    assert {"personvit-small", "personvit-base", "demo"} <= set(recipe_names())
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.title
        Masker(recipe)


def test_the_main_recipe_names_every_number():
    named = {
        f"{section}.{key}" if isinstance(value, dict) else section
        for section, value in tomllib.loads(text_of("personvit-small")).items()
        for key in (value if isinstance(value, dict) else [section])
    }
    fields = set()
    for section, field in PretrainRecipe.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        fields |= {f"{section}.{key}" for key in inner} if inner else {section}
    assert named == fields


def test_what_is_not_known_is_marked_as_a_guess():
    section, after_flip = "", False
    for line in text_of("personvit-small").splitlines():
        if found := re.match(r"\[(\w+)\]", line):
            section, after_flip = found[1] + ".", False
        elif found := re.match(r"(\w+) =", line):
            key = section + found[1]
            after_flip = after_flip or key == "views.flip"  # its guess speaks for all that follow
            assert "guess" in line or after_flip or key in KNOWN or "`ar.375`" in line, line


def test_dino_is_the_same_recipe_without_masks():
    dino = load_recipe("personvit-small").with_method("dino")
    assert not dino.masked
    assert dino.mim_weight == 0
    assert dino.with_method("personvit") == load_recipe("personvit-small")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["input.height=250"], "250x128 does not divide into patches of 16"),
        (["views.local_width=50"], "local crops of 128x50 do not divide into patches of 16"),
        (["masks.ratio=[0.9]"], "1 ratios and 2 variances; give one for each"),
        (["masks.ratio=[0, 0.9]"], "ratio of 0.9 with variance 0.2 leaves 0 to 1"),
        (["masks.ratio=[]", "masks.variance=[]"], "masks.ratio is empty"),
        (["method=mae"], "method: input should be 'personvit' or 'dino'"),
        (["model.architecture=pass_small_16"], "no architecture with a class token"),
        (["batch.size=10", "batch.accumulate=3"], "batch of 10 does not divide into 3 parts"),
        (["loss.dino_weight=0", "loss.mim_weight=0"], "nothing to learn from"),
        (["loss.dino_weight=0", "method=dino"], "nothing to learn from"),
        (["views.local_scale=[0.5, 0.1]"], r"\[smallest, largest\]"),
        (["views.global_scale=[0.5, 1.5]"], "at most 1"),
        (["teacher.momentun=1"], r"unknown key teacher.momentun \(did you mean teacher.momentum"),
        (["optimiser.betas=[0.9, 1]"], "optimiser.betas.1: input should be less than 1"),
        (["head.hidden=100000000000000000000"], "head.hidden: input should be less than"),
        (["head.frozen_epochs=1e308"], "head.frozen_epochs: input should be less than"),
        (["views.ratio=" + "[" * 5000], "views.ratio: input should be a valid tuple"),
        (["schedule.epochs=5"], r"warmup_epochs \(10\) is longer than epochs \(5\)"),
    ],
)
def test_mistakes_are_explained_in_one_line(changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as problem:
        load_recipe("personvit-small", changes)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = 1" + "0" * 5000])
def test_a_file_that_tomllib_trips_over_is_one_sentence(text, tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_recipe(str(path))
