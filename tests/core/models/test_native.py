"""Our own weights file: everything comes back, the same model gives the same bytes."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from personvit.core.errors import CheckpointError
from personvit.core.models.native import HEADER_KEY, load_native, save_native
from personvit.core.models.registry import config_of
from personvit.core.models.vit import build
from personvit.core.models.weights import load_weights
from personvit.core.preprocess import Preprocess

PROVENANCE = {"recipe": "market", "commit": "abc"}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    config = config_of("vit_micro_16", depth=2, classes=4, tokens="pass", neck="multi", cameras=2)
    model = build(config)
    path = tmp_path / "model.safetensors"
    save_native(path, model, Preprocess(filter="bicubic", mean=(0.1, 0.2, 0.3)), PROVENANCE)
    return path, model


def tampered(path, change):
    """The same tensors under a changed header."""
    header = json.loads(json.dumps(header_of(path)))
    change(header)
    save_file(load_file(path), path, metadata={HEADER_KEY: json.dumps(header)})
    return path


def header_of(path):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()[HEADER_KEY])


def test_everything_comes_back(saved):
    path, model = saved
    native = load_native(path)
    assert native.config == model.config
    assert native.preprocess == Preprocess(filter="bicubic", mean=(0.1, 0.2, 0.3))
    assert native.provenance == PROVENANCE
    assert not native.model.training
    for name, value in model.state_dict().items():
        assert torch.equal(native.model.state_dict()[name], value), name
    assert not native.model.get_parameter("bottleneck_2.bias").requires_grad
    assert native.model.get_parameter("backbone.norm.weight").requires_grad


def test_the_same_model_gives_the_same_bytes(saved, tmp_path):
    path, _ = saved
    for name in ("one", "two"):
        native = load_native(path)
        save_native(tmp_path / name, native.model, native.preprocess, native.provenance)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == path.read_bytes()


def test_loaded_weights_outlive_their_file(saved):
    path, model = saved
    native = load_native(path)
    path.write_bytes(b"gone")
    assert torch.equal(native.model.backbone.norm.weight, model.backbone.norm.weight)


def test_a_cut_file_is_refused(saved):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="whole safetensors"):
        load_weights(path)


def test_a_file_that_lacks_a_tensor_is_refused(saved):
    path, _ = saved
    header, tensors = header_of(path), load_file(path)
    del tensors["backbone.norm.bias"]
    save_file(tensors, path, metadata={HEADER_KEY: json.dumps(header)})
    with pytest.raises(CheckpointError, match=r"1 missing: backbone\.norm\.bias"):
        load_weights(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda header: header.update(schema=99), "schema 99"),
        (lambda header: header.pop("config"), "header cannot be used"),
        (lambda header: header["config"].update(colour="red"), "unknown model settings"),
        (lambda header: header["config"].update(width=65), "cannot be used"),
        (lambda header: header["preprocess"].update(filter="magic"), "cannot be used"),
        (lambda header: header.update(provenance=[1]), "cannot be used"),
    ],
)
def test_a_strange_header_is_refused(saved, change, sentence):
    with pytest.raises(CheckpointError, match=sentence):
        load_weights(tampered(saved[0], change))


def test_a_header_that_is_no_json_is_refused(saved):
    path, _ = saved
    save_file(load_file(path), path, metadata={HEADER_KEY: "{"})
    with pytest.raises(CheckpointError, match="damaged"):
        load_weights(path)


def test_foreign_safetensors_are_read_as_what_they_are(official):
    payload = official.payload("timm")
    path = official.save(None)
    save_file(payload, path)
    assert load_weights(path).report.family == "timm"
    with pytest.raises(CheckpointError, match="personvit-train import"):
        load_native(path)
