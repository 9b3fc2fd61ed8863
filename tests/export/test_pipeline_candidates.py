"""Several candidates in one bundle: each judged, those that fail left out, the rest comparable."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from personvit.benchmark.agreement import neighbour_scores
from personvit.core.bundle import Bundle
from personvit.core.models.native import load_native, save_native
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine
from personvit.export.cli import main
from personvit.export.recipe import Recipe, recipe_of, save_recipe, tomllib

WIDE = ("--gate", "mAP>=-6")
ALL = ("--int8", "--candidates", "fp16,int8,int8-attention,mixed", "--target", "cpu,trt10.3,trt11")


@pytest.fixture(scope="module")
def bundle(words, weights: Path, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("candidates") / "small.pvb"
    assert main.run(words(weights, people, out, *ALL, *WIDE)) == 0
    return out


def test_every_candidate_is_written_for_every_runtime_that_can_run_it(bundle, capsys) -> None:
    manifest = Bundle.open(bundle).manifest
    assert manifest.candidates == ("int8", "fp16", "int8-attention", "mixed")
    kinds = ["cpu", "trt-decomposed", "trt-attention"]
    others = [f"{kind}-{name}" for name in ("fp16", "int8-attention", "mixed") for kind in kinds]
    others.remove("trt-attention-int8-attention")
    assert [variant.name for variant in manifest.variants] == [*kinds, *others]
    assert len({variant.encoder_id for variant in manifest.variants}) == len(manifest.variants)
    assert main.run(["verify", str(bundle)]) == 0
    assert "int8 (default), fp16, int8-attention, mixed" in capsys.readouterr().out


def test_recipes_differ_as_their_names_say(bundle) -> None:
    opened = Bundle.open(bundle)

    def recipe(variant: str) -> Recipe:
        name = opened.variant(variant).recipe
        return recipe_of(tomllib.loads(opened.read(name).decode()), name)

    assert recipe("trt-decomposed") == Recipe()
    assert recipe("cpu-int8-attention") == Recipe(int8_attention=True)
    assert recipe("cpu-mixed").high_precision
    assert opened.variant("cpu-fp16").recipe is None
    found = opened.json("accuracy.json")["candidates"]
    shares = {name: row["int8_share"] for name, row in found.items()}
    assert shares["int8-attention"] > shares["int8"] > shares["mixed"] > shares["fp16"] == 0
    assert 0.15 < shares["int8"] - shares["mixed"] <= 0.25


def test_each_has_its_own_verdict_thresholds_and_bounds(bundle) -> None:
    opened = Bundle.open(bundle)
    accuracy, limits = opened.json("accuracy.json"), opened.json("thresholds.json")
    assert accuracy["verdict"] == accuracy["candidates"]["int8"]["verdict"]
    assert limits["candidate"] == limits["candidates"]["int8"]["candidate"]
    assert set(limits["candidates"]) == set(accuracy["candidates"])
    assert all(
        row["kept"] and row["verdict"]["decision"] == "pass"
        for row in accuracy["candidates"].values()
    )
    assert "rounded to FP16" in accuracy["candidates"]["fp16"]["judged"]
    assert opened.variant("cpu-fp16").bounds.cosine_min > 0.999
    assert opened.variant("trt-attention-fp16").bounds.cosine_min == 0.998
    assert opened.variant("trt-attention-mixed").bounds.cosine_min == 0.99


def test_a_device_can_compare_each_candidate_with_the_host(bundle) -> None:
    opened = Bundle.open(bundle)
    probe = opened.probe()
    assert opened.manifest.probe_source == "synthetic"
    assert probe.crops.shape == (200, 64, 32, 3)
    with open_engine(str(bundle), "openvino", EngineOptions(variant="cpu-mixed")) as engine:
        found = engine.embed(probe.crops)
    np.testing.assert_allclose(found, probe.expected["cpu-mixed"], atol=0.02)
    assert np.array_equal(probe.expected["cpu-fp16"], probe.embeddings)
    rounded = probe.expected["trt-attention-fp16"]
    assert not np.array_equal(rounded, probe.embeddings)
    np.testing.assert_allclose(rounded, probe.embeddings, atol=0.002)
    alike = probe.expected["trt-attention"] @ probe.embeddings.T
    assert alike.diagonal().min() > 0.98


def test_probe_people_have_neighbours_that_noise_does_not_find(bundle) -> None:
    """A probe on which any engine agrees, or none can, would show nothing."""
    probe = Bundle.open(bundle).probe()
    similar = probe.embeddings @ probe.embeddings.T
    same = np.arange(200)[:, None] // 4 == np.arange(200)[None] // 4
    np.fill_diagonal(same, False)
    strangers = ~same & ~np.eye(200, dtype=bool)
    assert similar[same].mean() > similar[strangers].mean() + 0.1
    shaken = probe.embeddings + np.random.default_rng(0).normal(
        scale=0.5 / np.sqrt(probe.embeddings.shape[1]), size=probe.embeddings.shape
    ).astype(np.float32)
    assert neighbour_scores(probe.embeddings, shaken, 10, 20)[0].mean() < 0.9
    int8 = neighbour_scores(probe.embeddings, probe.expected["cpu"], 10, 20)[0].mean()
    assert int8 > 0.9


def test_a_kill_between_two_candidates_leads_to_the_same_bytes(
    words, bundle, weights, people, tmp_path
) -> None:
    out = tmp_path / "small.pvb"
    work = out.with_suffix(".work")
    program = "from personvit.export.cli import main; main()"
    line = [sys.executable, "-c", program, *words(weights, people, out, *ALL, *WIDE)]
    run = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while len(list(work.glob("embeddings*.npy"))) < 10 and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not out.exists()
    assert main.run(words(weights, people, out, *ALL, *WIDE)) == 0
    assert out.read_bytes() == bundle.read_bytes()
    assert not work.exists()


@pytest.fixture(scope="module")
def loud_values(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Equal in float: every block has one value that nothing reads and that drowns all others."""
    loaded = load_native(weights)
    width = loaded.model.config.width
    with torch.no_grad():
        for block in loaded.model.backbone.blocks:
            block.attn.qkv.bias[2 * width + 3] += 3000
            block.attn.proj.weight[:, 3] *= 0
    path = tmp_path_factory.mktemp("loud") / "loud.safetensors"
    save_native(path, loaded.model, loaded.preprocess, loaded.provenance)
    return path


def test_a_candidate_that_fails_its_gate_is_left_out_and_named(
    words, loud_values, people, tmp_path, capsys
) -> None:
    out = tmp_path / "loud.pvb"
    more = ("--int8", "--candidates", "int8-attention,mixed", "--gate", "mAP>=-3")
    assert main.run(words(loud_values, people, out, *more)) == 0
    assert "int8-attention is left out: Fail: mAP fell" in capsys.readouterr().out
    opened = Bundle.open(out)
    assert opened.manifest.candidates == ("int8", "mixed")
    row = opened.json("accuracy.json")["candidates"]["int8-attention"]
    assert not row["kept"]
    assert row["reason"].startswith("Fail: mAP fell")
    assert "**int8-attention**" in opened.read("README.md").decode()
    assert set(opened.json("thresholds.json")["candidates"]) == {"int8", "mixed"}
    report = json.loads((tmp_path / "loud.report/report.json").read_text())
    assert report["candidates"]["int8-attention"]["place"] == "left out"
    page = (tmp_path / "loud.report/report.html").read_text()
    assert "Left out: Fail: mAP fell" in page


def test_a_candidate_that_is_nothing_of_its_own_is_left_out(
    words, weights, people, tmp_path
) -> None:
    """The recipe protects a third of the work already; `mixed` would protect a quarter."""
    recipe = tmp_path / "recipe.toml"
    save_recipe(recipe, Recipe(high_precision=tuple(f"blocks.{n}.mlp.fc1" for n in range(3))))
    out = tmp_path / "same.pvb"
    more = ("--int8", "--recipe", str(recipe), "--candidates", "mixed", *WIDE)
    assert main.run(words(weights, people, out, *more)) == 0
    opened = Bundle.open(out)
    assert opened.manifest.candidates == ("int8",)
    row = opened.json("accuracy.json")["candidates"]["mixed"]
    assert row["reason"] == "its recipe is the same as that of int8"


def test_a_recipe_with_attention_leaves_no_candidate_for_it(
    words, weights, people, tmp_path, capsys
) -> None:
    recipe = tmp_path / "recipe.toml"
    save_recipe(recipe, Recipe(int8_attention=True))
    more = ("--int8", "--recipe", str(recipe), "--candidates", "int8-attention")
    assert main.run(words(weights, people, tmp_path / "x.pvb", *more)) == 1
    assert "quantises attention already" in capsys.readouterr().err


def test_probe_crops_from_data_are_training_crops_and_say_so(
    words, weights, people, tmp_path
) -> None:
    out = tmp_path / "data.pvb"
    more = ("--probe", "200", "--probe-crops", "data", *WIDE)
    assert main.run(words(weights, people, out, *more)) == 0
    opened = Bundle.open(out)
    assert opened.manifest.probe_source == "data"
    assert len(opened.probe().crops) == 200
