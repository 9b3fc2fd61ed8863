"""`personvit-train import`, `export-upstream` and `models` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.native import load_native, save_native
from personvit.core.models.upstream import to_upstream
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.train.cli import main


@pytest.fixture
def published(tmp_path):
    """A tiny fine-tuned file under the published names."""
    model = build(ModelConfig(width=64, depth=2, heads=1, classes=5))
    path = tmp_path / "transformer_120.pth"
    torch.save(to_upstream(model), path)
    return path


def run(*words: object) -> int:
    return main.run([str(word) for word in words])


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_import_writes_a_file_and_shows_the_table(published, tmp_path, capsys):
    out = tmp_path / "market.safetensors"
    assert run("import", published, out) == 0
    shown = capsys.readouterr().out
    assert "fine-tuned with labels" in shown
    assert "unused ImageNet classifier" in shown
    assert "16x8 patches" in shown
    native = load_native(out)
    assert native.config.classes == 5
    assert native.provenance["file"] == published.name
    assert len(native.provenance["sha256"]) == 64


def test_import_resizes_and_says_so(published, tmp_path, capsys):
    out = tmp_path / "tall.safetensors"
    words = ("import", published, out, "--size", "384x128", "--tokens", "mean", "--json")
    assert run(*words) == 0
    report = json.loads(capsys.readouterr().out)
    assert [entry["after"] for entry in report["changed"]] == [[1, 193, 64], [1, 192, 64]]
    assert load_native(out).preprocess.height == 384


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("base.blocks.1.mlp.fc2.bias"),
        lambda state: state.update(surprise=torch.zeros(1)),
        lambda state: state.update({"base.norm.bias": torch.zeros(65)}),
        lambda state: state.update(path=Path("x")),
    ],
)
def test_a_bad_file_leaves_nothing_behind(published, tmp_path, capsys, damage):
    state = torch.load(published, weights_only=True)
    damage(state)
    torch.save(state, published)
    before = files(tmp_path)
    assert run("import", published, tmp_path / "out.safetensors") == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert files(tmp_path) == before


def test_a_bad_file_leaves_the_old_result_alone(published, tmp_path):
    out = tmp_path / "market.safetensors"
    assert run("import", published, out) == 0
    old = out.read_bytes()
    published.write_bytes(published.read_bytes()[:-500])
    assert run("import", published, out) == 1
    assert out.read_bytes() == old


def test_another_suffix_is_refused(published, tmp_path, capsys):
    assert run("import", published, tmp_path / "out.pth") == 1
    assert ".safetensors" in capsys.readouterr().err


def test_export_upstream_does_not_write_over_weights_of_ours(published, tmp_path, capsys):
    native = tmp_path / "market.safetensors"
    assert run("import", published, native) == 0
    old = native.read_bytes()
    assert run("export-upstream", native, native) == 1
    assert ".pth" in capsys.readouterr().err
    assert native.read_bytes() == old


def test_export_upstream_gives_the_weights_back(published, tmp_path, capsys):
    native, exported = tmp_path / "market.safetensors", tmp_path / "again.pth"
    assert run("import", published, native) == 0
    assert run("export-upstream", native, exported) == 0
    assert "personvit-finetuned" in capsys.readouterr().out
    before, after = (torch.load(path, weights_only=True) for path in (published, exported))
    assert set(before) == set(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_export_upstream_of_what_it_cannot_hold_leaves_nothing(tmp_path, capsys):
    path = tmp_path / "mean.safetensors"
    save_native(
        path, build(ModelConfig(width=64, depth=1, heads=1, tokens="mean")), Preprocess(), {}
    )
    assert run("export-upstream", path, tmp_path / "out.pth") == 1
    assert files(tmp_path) == {"mean.safetensors"}


def test_models_lists_architectures_releases_and_families(capsys):
    assert run("models", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"vit_small_16", "pass_base_16", "vit_micro_16"} <= set(listed["architectures"])
    assert len(listed["released"]) == 8
    assert "pass-unsupervised" in listed["families"]
