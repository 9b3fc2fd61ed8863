"""The probe's numbers are those of retrieval, whoever shares the work, and disturb nothing."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch

from personvit.core.data.catalogue import open_dataset
from personvit.core.errors import ConfigError, DataError
from personvit.core.models.config import ModelConfig
from personvit.core.models.native import save_native
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.train.crops import Reading
from personvit.train.distributed import World
from personvit.train.pretrain import probe_crops
from personvit.train.pretrain.linear_probe import fit_discriminant
from personvit.train.pretrain.probe import Probe
from personvit.train.retrieval import retrieval

ALONE = World(torch.device("cpu"))
SIZE = Preprocess(height=32, width=16)


def narrow(**changes):
    torch.manual_seed(0)
    sizes = {"width": 32, "depth": 2, "heads": 2, "height_px": 32, "width_px": 16, "neck": "none"}
    return build(ModelConfig(**sizes, drop_path=0.1, **changes))


@pytest.fixture
def broken(people, tmp_path):
    """The toy people with one query and one gallery crop that are no images."""
    root = shutil.copytree(people, tmp_path / "broken")
    for folder in ("query", "bounding_box_test"):
        sorted((root / folder).iterdir())[2].write_bytes(b"not a crop")
    return root


def probe(root, **reading):
    return Probe(open_dataset(root), SIZE, Reading(workers=1, **reading), ALONE)


def test_it_says_what_retrieval_says(people):
    model, dataset = narrow(), open_dataset(people)
    scores = probe(people).knn(model)
    wanted, _ = retrieval(model, dataset, SIZE, Reading(workers=1))
    assert scores.mean_ap == wanted.mean_ap
    assert (scores.rank1, scores.minp, scores.queries) == (wanted.rank(1), wanted.minp, 8)


@pytest.mark.parametrize("tokens", ["pass", "mean", "cls-drop-patch"])
def test_every_kind_of_tokens_can_be_probed(people, tokens):
    assert 0 < probe(people).knn(narrow(tokens=tokens)).mean_ap <= 1


def test_modes_and_random_state_are_left_alone(people):
    model = narrow().train()
    model.backbone.blocks.eval()
    modes = {name: part.training for name, part in model.named_modules()}
    torch.manual_seed(3)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    watched = probe(people)
    watched.knn(model)
    watched.linear(model)
    assert {name: part.training for name, part in model.named_modules()} == modes
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_too_little_memory_changes_no_score(people):
    model = narrow()
    frugal = probe(people, cache_bytes=0)
    assert frugal.knn(model) == probe(people).knn(model)
    assert frugal.linear(model) == probe(people).linear(model)


def test_an_unreadable_crop_is_an_error_or_left_out(broken, people):
    with pytest.raises(DataError, match=r"2 of the 16 crops .*personvit-data check"):
        probe(broken)
    skipping = probe(broken, skip_bad=True)
    assert len(skipping.bad) == 2
    model = narrow()
    scores = skipping.knn(model)
    wanted, _ = retrieval(model, open_dataset(broken), SIZE, Reading(1, skip_bad=True))
    assert (scores.queries, scores.mean_ap) == (wanted.n_queries, wanted.mean_ap)


def test_a_data_set_without_queries_is_refused(draw_people, tmp_path):
    root = draw_people(tmp_path, range(1, 4), ("train",))
    with pytest.raises(DataError, match="no query and gallery"):
        probe(root)


def test_a_model_that_needs_camera_numbers_is_refused(people):
    with pytest.raises(ConfigError, match="camera"):
        probe(people).knn(narrow(cameras=2))


RANKS = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from personvit.core.data.catalogue import open_dataset
from personvit.core.models.native import load_native
from personvit.core.preprocess import Preprocess
from personvit.train.crops import Reading
from personvit.train.distributed import joined
from personvit.train.pretrain import probe_crops
from personvit.train.pretrain.probe import Probe

probe_crops.BATCH = 3
data, weights, out = map(Path, sys.argv[1:])
with joined("cpu") as world:
    reading = Reading(workers=1, skip_bad=True)
    probe = Probe(open_dataset(data), Preprocess(height=32, width=16), reading, world)
    model = load_native(weights).model
    found = [asdict(probe.knn(model)), asdict(probe.linear(model)), probe.bad]
    (out / f"{world.rank}.json").write_text(json.dumps(found))
"""


def test_two_processes_equal_one(broken, tmp_path, one_thread, monkeypatch):
    weights, script = tmp_path / "model.safetensors", tmp_path / "ranks.py"
    model = narrow()
    save_native(weights, model, SIZE, {})
    monkeypatch.setattr(probe_crops, "BATCH", 3)
    alone = probe(broken, skip_bad=True)
    wanted = [asdict(alone.knn(model)), asdict(alone.linear(model)), list(alone.bad)]
    script.write_text(RANKS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *(str(script), str(broken), str(weights), str(tmp_path)),
        ],
        env=one_thread,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == wanted


@pytest.mark.parametrize(("length", "size"), [(0, 2), (63, 4), (64, 2), (640, 3), (641, 8)])
def test_parts_cover_every_crop_once_in_whole_batches(length, size):
    parts = [probe_crops.part(length, rank, size) for rank in range(size)]
    assert [place for part in parts for place in part] == list(range(length))
    assert all(part.start % probe_crops.BATCH == 0 for part in parts if part)


def test_a_linear_map_finds_people_that_a_nuisance_hides():
    """Four directions tell people apart; four louder ones vary within each person."""
    rng = np.random.default_rng(0)
    people, identities = rng.normal(size=(60, 4)), np.repeat(np.arange(60), 8)
    quiet, loud = rng.normal(0, 0.1, size=(480, 4)), rng.normal(0, 5, size=(480, 4))
    rows = np.hstack([people[identities] + quiet, loud])
    seen, unseen = identities < 40, identities >= 40
    learnt = fit_discriminant(rows[seen], identities[seen])

    def nearest_is_the_same(values):
        distances = np.linalg.norm(values[:, None] - values[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        return (identities[unseen][distances.argmin(axis=1)] == identities[unseen]).mean()

    assert nearest_is_the_same(rows[unseen]) < 0.2
    assert nearest_is_the_same(learnt(rows[unseen])) > 0.9


def test_the_fewer_the_crops_the_rounder_the_scatter():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 8)) * np.arange(1, 9)
    people = np.repeat(np.arange(1000), 4)
    few, many = fit_discriminant(rows[:24], people[:24]), fit_discriminant(rows, people)
    assert many.shrinkage < 0.05 < few.shrinkage <= 1
    within = (rows - np.repeat(rows.reshape(1000, 4, 8).mean(axis=1), 4, axis=0)) @ many.weight
    np.testing.assert_allclose(within.T @ within / 3000, np.eye(8), atol=0.1)


def test_collapsed_features_give_a_score_and_no_error(people):
    model = narrow()
    with torch.no_grad():
        model.backbone.norm.weight.zero_()
        model.backbone.norm.bias.fill_(1)
    assert probe(people).linear(model).mean_ap < 0.8


def test_identities_with_one_crop_each_cannot_teach():
    with pytest.raises(DataError, match="two or more training crops"):
        fit_discriminant(np.eye(4), np.arange(4))
