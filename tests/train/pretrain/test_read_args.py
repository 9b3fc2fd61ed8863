"""The hyper-parameters inside a pre-training file: read without running it, laid beside guesses."""

from argparse import Namespace

import pytest
import torch

from personvit.core.errors import CheckpointError, ConfigError
from personvit.train.pretrain.guesses import guesses
from personvit.train.pretrain.read_args import ArgsOptions, read_args
from personvit.train.pretrain.recipe_files import load_recipe

FACTS = {
    "arch": "vit_small",
    "lr": 0.00075,
    "batch_size_per_gpu": 32,
    "world_size": 8,
    "pred_ratio": [0.0, 0.3],
    "pred_ratio_var": [0.0, 0.2],
    "pred_shape": "rand",
    "shared_head": False,
    "use_masked_im_modeling": True,
    "local_crops_scale": (0.05, 0.8),
    "crop_ratio_low": 0.375,
}


class Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def official(tmp_path):
    """A file like iBOT's: what it holds beside the args can be given."""

    def make(**more):
        student = {
            "module.backbone.cls_token": torch.zeros(1, 1, 384),
            "module.head.mlp.0.weight": torch.zeros(64, 384),
            "module.head.mlp.2.weight": torch.zeros(32, 64),
            "module.head.last_layer.weight_v": torch.zeros(100, 32),
            "module.head.last_layer2.weight_v": torch.ones(100, 32),
        }
        path = tmp_path / "checkpoint0220.pth"
        content = {"student": student, "epoch": 220, "args": Namespace(**FACTS), **more}
        torch.save(content, path)
        return path

    return make


def test_facts_replace_guesses_in_a_recipe_that_loads(official, tmp_path):
    written = tmp_path / "facts.toml"
    report = read_args(ArgsOptions(official(), as_recipe=written))
    recipe = load_recipe(str(written))
    assert recipe.optimiser.lr == 0.00075
    assert recipe.batch.size == 256
    assert recipe.masks.shape == "random"
    assert recipe.views.local_scale == (0.05, 0.8)
    assert recipe.head.shared is False
    # Told by tensors, not by arguments:
    assert (recipe.head.outputs, recipe.head.bottleneck, recipe.head.layers) == (100, 32, 2)
    # Nothing else differs from the recipe that it stands on.
    base = load_recipe("personvit-small").to_dict()
    told = {fact.field for fact in report.facts}
    for section, values in recipe.to_dict().items():
        if isinstance(values, dict):
            for key, value in values.items():
                assert f"{section}.{key}" in told or value == base[section][key]
    assert "fact: args.lr; the guess was 0.0005" in written.read_text()


@pytest.mark.parametrize(
    ("patches", "size"), [(16 * 8, (256, 128)), (8 * 4, (128, 64)), (12 * 12, None)]
)
def test_the_size_of_the_crops_is_told_by_the_positions(official, tmp_path, patches, size):
    """Unless so many patches may lie in more than one way."""
    student = {
        "module.backbone.pos_embed": torch.zeros(1, 1 + patches, 384),
        "module.backbone.patch_embed.proj.weight": torch.zeros(384, 3, 16, 16),
    }
    report = read_args(ArgsOptions(official(student=student), as_recipe=tmp_path / "facts.toml"))
    told = {fact.field: fact.value for fact in report.facts if fact.field.startswith("input")}
    assert told == ({"input.height": size[0], "input.width": size[1]} if size else {})


def test_what_is_told_is_no_guess_any_more(official):
    report = read_args(ArgsOptions(official()))
    before = guesses("personvit-small")
    assert {"optimiser.lr", "head.shared", "views.jitter"} <= set(before)
    assert set(report.remaining) == set(before) - {fact.field for fact in report.facts}
    assert report.epoch == 220
    assert report.unused == ("crop_ratio_low",)
    assert "crop_ratio_low" in report.as_text()
    assert report.as_json()["args"]["world_size"] == 8


def test_a_recipe_takes_its_bases_guesses_but_for_what_it_says_itself():
    small, base = guesses("personvit-small"), guesses("personvit-base")
    assert set(base) == set(small)
    assert base["head.fixed_norm"] != small["head.fixed_norm"]


def test_a_file_without_args_tells_by_its_tensors(official):
    report = read_args(ArgsOptions(official(args=None)))
    fields = {fact.field: fact.value for fact in report.facts}
    assert fields["head.outputs"] == 100
    assert fields["model.architecture"] == "vit_small_16"
    assert "holds no args" in report.as_text()


def test_foreign_code_in_the_args_is_never_run(official, tmp_path):
    trap = tmp_path / "sprung"
    path = official(args=Namespace(lr=Touch(trap)))
    with pytest.raises(CheckpointError, match="would run foreign code"):
        read_args(ArgsOptions(path))
    assert not trap.exists()


def test_a_file_that_says_nothing_is_refused(tmp_path):
    path = tmp_path / "market.pth"
    torch.save({"base.cls_token": torch.zeros(1, 1, 384)}, path)
    with pytest.raises(CheckpointError, match="neither args nor a projection head"):
        read_args(ArgsOptions(path))


def test_odd_values_are_passed_over_and_lists_without_end_are_told(official, tmp_path):
    flat = {"head.last_layer.weight_v": torch.ones(3), "backbone.cls_token": torch.tensor(1.0)}
    path = official(args=Namespace(epochs=float("inf"), lr=1e-3), student=flat)
    assert [fact.field for fact in read_args(ArgsOptions(path)).facts] == ["optimiser.lr"]
    endless = []
    endless.append(endless)
    with pytest.raises(CheckpointError, match="hold themselves"):
        read_args(ArgsOptions(official(args=Namespace(a=endless))))


def test_facts_that_make_no_recipe_leave_no_file(official, tmp_path):
    path = official(args=Namespace(lr=-1.0))
    with pytest.raises(ConfigError, match="input should be greater than 0"):
        read_args(ArgsOptions(path, as_recipe=tmp_path / "facts.toml"))
    assert not (tmp_path / "facts.toml").exists()


def test_a_recipe_that_is_a_file_is_found_from_another_folder(official, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('base = "personvit-small"\n[views]\nflip = 0.25\n')
    facts = tmp_path / "deep" / "facts.toml"
    read_args(ArgsOptions(official(), against="mine.toml", as_recipe=facts))
    assert load_recipe(str(facts)).views.flip == 0.25
