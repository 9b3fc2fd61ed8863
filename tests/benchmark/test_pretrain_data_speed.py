"""The race of loaders is run over the same views, in real processes."""

from __future__ import annotations

import json

import pytest

from personvit.benchmark import pretrain_data_speed
from personvit.benchmark.cli import main
from personvit.benchmark.pretrain_data_speed import VIEWS
from personvit.core.data.synth import SynthOptions, synth
from personvit.train.pretrain.recipe_files import load_recipe

SMALL = VIEWS | {"height": 64, "width": 32, "local_height": 32, "local_width": 16, "local_count": 1}


def test_the_peer_gets_the_views_of_the_recipe_that_a_step_is_timed_with():
    recipe = load_recipe("personvit-small", [])
    ours = recipe.input.model_dump() | recipe.views.model_dump()
    assert {name: ours[name] for name in VIEWS} == VIEWS


@pytest.mark.slow
def test_every_contender_loads_and_is_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pretrain_data_speed, "VIEWS", SMALL)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    synth(SynthOptions(out=tmp_path / "people", identities=4, cameras=2, height=64, width=32))
    words = ["--pool", str(tmp_path / "people" / "bounding_box_train"), "--batch", "4"]
    words += ["--images", "32", "--rounds", "2", "--steps", "0", "-o", str(tmp_path), "--json"]
    assert main.run(["pretrain-data", *words]) == 0
    report = json.loads(capsys.readouterr().out)
    for measure in ("images_per_second", "images_per_processor_second"):
        assert set(report[measure]) == {"torchvision", "ours", "ours in batch"}
        assert all(min(each) > 0 for each in report[measure].values())
        assert report[f"{measure}_ratio_to_torchvision"]["torchvision"] == [1, 1]
    assert (tmp_path / "pretrain_data_speed.md").is_file()
