"""`personvit-engine`: list, info and run, as a user meets them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from personvit.core.errors import EnvironmentMismatch, UserError
from personvit.engines.catalogue import open_engine
from personvit.engines.cli import main


def test_list_says_what_is_usable_and_what_to_install(capsys, monkeypatch):
    assert main.run(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["engines"]
    assert "torch" in {row["name"] for row in rows}
    monkeypatch.setattr("personvit.engines.torch_engine.find_spec", lambda name: None)
    assert main.run(["list"]) == 0
    assert "pip install 'personvit[train]'" in capsys.readouterr().out


def test_info_shows_inputs_outputs_and_space(capsys, weights):
    assert main.run(["info", str(weights), "--precision", "bf16"]) == 0
    shown = capsys.readouterr().out
    assert "images uint8 [N x 64 x 32 x 3]" in shown
    assert "embedding float32 [N x 32]" in shown
    assert "bf16" in shown
    assert main.run(["info", str(weights), "--device", "cuda:99"]) == EnvironmentMismatch.exit_code


def test_run_writes_rows_and_says_which_is_which(capsys, weights, pictures, crops, tmp_path):
    out = tmp_path / "made" / "vectors.npy"
    words = ["run", str(weights), str(pictures), str(pictures / "3.png"), "-o", str(out)]
    assert main.run([*words, "--batch", "3"]) == 0
    with open_engine(str(weights)) as engine:
        expected = engine.embed(np.concatenate([crops, crops[3:4]]))
    np.testing.assert_allclose(np.load(out), expected, atol=2e-6)
    about = json.loads((tmp_path / "made" / "vectors.npy.json").read_text())
    assert [name[-5:] for name in about["images"]][-2:] == ["6.png", "3.png"]
    assert about["space"] == engine.outputs[0].space
    assert "8 embeddings of 32 values" in capsys.readouterr().out


def test_a_bundle_goes_to_the_cpu_runtime_that_suits_it(capsys, bundle, pictures, tmp_path):
    assert main.run(["info", str(bundle), "--threads", "1"]) == 0
    assert "openvino" in capsys.readouterr().out
    words = ["info", str(bundle), "--engine", "onnxruntime", "--precision", "fp32"]
    assert main.run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["info"]["runtime"] == "onnxruntime"
    out = tmp_path / "vectors.npy"
    assert main.run(["run", str(bundle), str(pictures), "-o", str(out)]) == 0
    assert np.load(out).shape == (7, 32)
    assert main.run(["info", str(tmp_path / "gone.pvb")]) == UserError.exit_code
    assert "a bundle was expected here" in capsys.readouterr().err


def test_a_bad_image_stops_the_run_or_is_listed(capsys, weights, pictures, tmp_path):
    (pictures / "0.png").write_bytes(b"no picture")
    out = tmp_path / "vectors.npy"
    assert main.run(["run", str(weights), str(pictures), "-o", str(out)]) == UserError.exit_code
    assert "0.png" in capsys.readouterr().err
    assert not out.exists()
    assert main.run(["run", str(weights), str(pictures), "-o", str(out), "--skip-bad"]) == 0
    assert "skipped 1 bad image" in capsys.readouterr().out
    assert len(np.load(out)) == 6


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere.jpg", "-o", "a.npy"], "no such file"),
        (["here.png"], "say where"),
        (["here.png", "-o", "a.txt"], "say where"),
        ([".", "-o", "a.npy", "--engine", "tensorflow"], "no engine is called"),
    ],
)
def test_what_cannot_be_done_is_said(capsys, monkeypatch, weights, tmp_path, words, reason):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 16)).save("here.png")
    assert main.run(["run", str(weights), *words]) == UserError.exit_code
    assert reason in capsys.readouterr().err
