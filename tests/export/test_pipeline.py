"""The whole command on a small model: same bytes twice, verdicts, resuming, and bad input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from personvit.core.bundle import Bundle
from personvit.engines.catalogue import open_engine
from personvit.export.cli import main

PLANTED = "blocks.0.mlp.fc2"
WIDE = ("--gate", "mAP>=-6")


@pytest.fixture(scope="module")
def bundle(words, weights: Path, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "small.pvb"
    assert main.run(words(weights, people, out, "--int8", *WIDE)) == 0
    return out


def test_a_bundle_is_written_verified_and_served(bundle: Path, people: Path, capsys) -> None:
    assert main.run(["verify", str(bundle)]) == 0
    assert "whole and unchanged" in capsys.readouterr().out
    opened = Bundle.open(bundle)
    assert [variant.name for variant in opened.manifest.variants] == ["cpu"]
    golden = opened.golden()
    with open_engine(str(bundle), "openvino") as engine:
        found = engine.embed(golden.crops)
    np.testing.assert_allclose(found, golden.expected["cpu"].embeddings, atol=0.02)
    assert not bundle.with_suffix(".work").exists()
    page = (bundle.with_suffix(".report") / "report.html").read_text()
    assert "personvit-export" in page


def test_two_runs_give_the_same_bytes(
    words, bundle: Path, weights: Path, people: Path, tmp_path
) -> None:
    again = tmp_path / "small.pvb"
    assert main.run(words(weights, people, again, "--int8", *WIDE)) == 0
    assert again.read_bytes() == bundle.read_bytes()


def test_every_flipped_byte_of_a_sample_is_noticed(bundle: Path, tmp_path) -> None:
    data = bundle.read_bytes()
    spoilt = tmp_path / "spoilt.pvb"
    for place in np.random.default_rng(0).integers(0, len(data), 25):
        changed = bytearray(data)
        changed[place] ^= 1
        spoilt.write_bytes(changed)
        assert main.run(["verify", str(spoilt)]) == 1


def test_without_int8_the_bundle_is_full_precision(words, weights, people, tmp_path) -> None:
    out = tmp_path / "full.pvb"
    targets = ("--target", "cpu,trt10.3,trt11,deepstream")
    assert main.run(words(weights, people, out, *targets, *WIDE)) == 0
    found = {variant.name: variant.precision for variant in Bundle.open(out).manifest.variants}
    halves = dict.fromkeys(("trt-decomposed", "trt-attention", "deepstream"), "fp16")
    assert found == {"cpu": "fp32", **halves}


def test_a_planted_layer_is_found_and_protected(words, planted, people, tmp_path) -> None:
    out = tmp_path / "planted.pvb"
    assert main.run(words(planted, people, out, "--int8", *WIDE)) == 0
    recipe = Bundle.open(out).read("recipe.toml").decode()
    assert PLANTED in recipe
    assert recipe.count("blocks.") == 1, "more was protected than needed"


def test_without_protection_the_gate_fails(words, planted, people, tmp_path, capsys) -> None:
    out = tmp_path / "planted.pvb"
    code = main.run(words(planted, people, out, "--int8", "--no-search", "--candidates", "fp16"))
    assert code == 2
    assert "Fail" in capsys.readouterr().err
    assert not out.exists()
    assert (tmp_path / "planted.report" / "report.html").exists()
    report = json.loads((tmp_path / "planted.report" / "report.json").read_text())
    places = {name: row["place"] for name, row in report["candidates"].items()}
    assert places["int8"] == "no bundle"


def test_too_few_queries_are_undecided(words, weights, people, tmp_path, capsys) -> None:
    out = tmp_path / "few.pvb"
    assert main.run(words(weights, people, out, "--int8")) == 4
    assert "queries are needed" in capsys.readouterr().err
    assert not out.exists()


def test_crops_without_labels_are_judged_by_agreement(words, weights, people, tmp_path) -> None:
    crops = tmp_path / "crops"
    crops.mkdir()
    for path in (people / "bounding_box_train").glob("*.jpg"):
        shutil.copy(path, crops / f"x{abs(hash(path.name))}.jpg")
    out = tmp_path / "agreed.pvb"
    more = ("--int8", "--candidates", "fp16", "--gate", "agreement")
    code = main.run(words(weights, crops, out, *more))
    report = json.loads((tmp_path / "agreed.report/report.json").read_text())
    assert report["verdict"]["kind"] == "agreement"
    assert report["candidates"]["fp16"]["decision"] == "pass"
    assert code == {"pass": 0, "fail": 2, "undecided": 4}[report["verdict"]["decision"]]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--gate", "speed>=-1"), "not known"),
        (("--gate", "mAP>=0.2"), "below 0"),
        (("--target", "tpu"), "no target"),
        (("--target", "rtx", "--arch", "banana"), "compute capability"),
        (("--recipe", "missing.toml", "--int8"), "not a recipe"),
        (("--probe", "20"), "200 or more"),
        (("--probe-crops", "data"), "give --probe N too"),
        (("--candidates", "fp16", "--probe", "0"), "leave --probe 0 out"),
        (("--candidates", "int8-attention"), "candidate int8-attention is quantised; give --int8"),
        (("--candidates", "mixed"), "candidate mixed is quantised; give --int8"),
        (("--candidates", "int4", "--int8"), "no candidate 'int4'; choose from int8, fp16"),
        (("--candidates", "mixed,fp16,mixed", "--int8"), "mixed is listed twice"),
        (("--candidates", " , ", "--int8"), "no candidate is named"),
        (("--int8", "--calibration-crops", "100000"), "lower --calibration-crops"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    words, weights, people, tmp_path, capsys, more, says
):
    out = tmp_path / "bad.pvb"
    assert main.run(words(weights, people, out, *more)) == 1
    shown = capsys.readouterr().err
    assert says in shown
    assert "Traceback" not in shown
    assert not out.exists()


def test_a_test_image_among_the_training_images_is_refused(
    words, weights, people, tmp_path, capsys
):
    leaky = tmp_path / "leaky"
    shutil.copytree(people, leaky)
    query = sorted((leaky / "query").glob("*.jpg"))[0]
    for path in (leaky / "bounding_box_train").glob("*.jpg"):
        path.write_bytes(query.read_bytes())
    assert main.run(words(weights, leaky, tmp_path / "x.pvb", "--int8")) == 1
    assert "also the test image" in capsys.readouterr().err


def test_a_broken_image_is_named_and_can_be_left_out(
    words, weights, people, tmp_path, capsys
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(people, spoilt)
    victim = sorted((spoilt / "bounding_box_test").glob("0*.jpg"))[5]
    victim.write_bytes(victim.read_bytes()[:300])
    out = tmp_path / "x.pvb"
    assert main.run(words(weights, spoilt, out, "--int8", *WIDE)) == 1
    assert victim.name in capsys.readouterr().err
    assert main.run(words(weights, spoilt, out, "--int8", "--skip-bad", *WIDE)) == 0
    assert "could not be read" in (tmp_path / "x.report/report.md").read_text()


def test_a_model_whose_fp16_form_would_overflow_is_refused(
    words, planted, people, tmp_path, capsys
):
    out = tmp_path / "loud.pvb"
    assert main.run(words(planted, people, out, "--target", "trt11", *WIDE)) == 1
    assert "overflow" in capsys.readouterr().err
    assert not out.exists()
