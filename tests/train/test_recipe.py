"""Recipes: published numbers, changes on top, and complaints that help."""

import pytest

from personvit.core.errors import ConfigError
from personvit.train.recipe_files import load_recipe, recipe_names


def test_every_shipped_recipe_is_valid():
    assert "demo" in recipe_names()
    for name in recipe_names():
        assert load_recipe(name).title


def test_the_published_recipe_says_what_was_published():
    recipe = load_recipe("personvit")
    assert (recipe.batch.identities, recipe.batch.images, recipe.batch_size) == (16, 4, 64)
    assert (recipe.input.height, recipe.input.width) == (256, 128)
    assert recipe.input.train_filter == "bicubic"
    assert (recipe.optimiser.name, recipe.optimiser.lr, recipe.optimiser.momentum) == (
        "sgd",
        4e-4,
        0.9,
    )
    assert recipe.optimiser.weight_decay == recipe.optimiser.bias_weight_decay == 1e-4
    assert recipe.optimiser.bias_lr_factor == 2
    assert (recipe.augment.flip, recipe.augment.pad, recipe.augment.erase) == (0.5, 10, 0.5)
    assert recipe.loss.triplet_margin is None
    assert recipe.loss.label_smoothing == 0


def test_changes_are_read_as_toml_and_none_takes_a_number_back():
    changes = ["optimiser.name=adamw", "optimiser.lr=1e-3", "augment.erase_area=[0.1, 0.2]"]
    recipe = load_recipe("personvit", [*changes, "input.height=none", "input.width=none"])
    assert (recipe.optimiser.name, recipe.optimiser.lr) == ("adamw", 1e-3)
    assert recipe.input.height is None
    assert recipe.augment.erase_area == (0.1, 0.2)


def test_a_file_may_stand_on_another(tmp_path):
    (tmp_path / "below.toml").write_text('base = "personvit"\n[schedule]\nepochs = 40\n')
    (tmp_path / "above.toml").write_text('base = "below.toml"\n[batch]\nimages = 8\n')
    recipe = load_recipe(str(tmp_path / "above.toml"))
    assert (recipe.schedule.epochs, recipe.batch.images, recipe.optimiser.lr) == (40, 8, 4e-4)


def test_a_recipe_based_on_itself_is_refused(tmp_path):
    path = tmp_path / "round.toml"
    path.write_text('base = "round.toml"\n')
    with pytest.raises(ConfigError, match="based on itself"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("personvti", [], r"no recipe is named 'personvti' \(did you mean personvit\?\)"),
        ("nowhere.toml", [], "there is no recipe file nowhere.toml"),
        ("personvit", ["optimizer.lr=1"], r"unknown key optimizer.*did you mean optimiser"),
        ("personvit", ["optimiser.learning_rate=1"], "unknown key optimiser.learning_rate"),
        ("personvit", ["optimiser.lr=true"], "optimiser: lr cannot be true"),
        ("personvit", ["lr=1"], r"unknown key lr \(did you mean optimiser.lr\?\)"),
        ("personvit", ["optimiser.lr=-1"], "optimiser.lr: input should be greater than 0, not -1"),
        ("personvit", ["optimiser.lr=nan"], "optimiser.lr: .*finite"),
        ("personvit", ["optimiser.lr=fast"], "optimiser.lr: .*valid number.*not 'fast'"),
        ("personvit", ["batch.identities=1"], "batch.identities: .*greater than or equal to 2"),
        ("personvit", ["schedule.epochs=3"], r"warmup_epochs \(20\) is longer than epochs \(3\)"),
        ("personvit", ["input.height=none"], "both height and width"),
        ("personvit", ["loss.identity_weight=0", "loss.triplet_weight=0"], "nothing to learn"),
        ("personvit", ["augment.erase_area=[0.5, 0.1]"], r"\[smallest, largest\]"),
        ("personvit", ["optimiser.lr"], "--set takes section.key=value"),
        ("personvit", ["title.x=1"], "title is a value, not a section"),
    ],
)
def test_mistakes_are_explained_in_one_line(name, changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as problem:
        load_recipe(name, changes)
    assert "\n" not in str(problem.value)


def test_a_file_that_is_not_toml(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("epochs: 3")
    with pytest.raises(ConfigError, match=r"bad\.toml is not valid TOML"):
        load_recipe(str(path))
