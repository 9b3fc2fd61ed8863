"""Position embeddings on other grids, and class-token weights turned into 128 tokens."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from personvit.core.errors import CheckpointError
from personvit.core.models.grid import infer_grid, resample
from personvit.core.models.native import save_native
from personvit.core.models.registry import config_of
from personvit.core.models.vit import build
from personvit.core.models.weights import ReadOptions, load_weights
from personvit.core.preprocess import Preprocess


@pytest.mark.parametrize(
    ("patches", "grid"),
    [(128, (16, 8)), (192, (24, 8)), (196, (14, 14)), (576, (24, 24)), (512, (32, 16))],
)
def test_published_sizes_are_known_by_their_count(patches, grid):
    assert infer_grid(patches, "file") == grid


@pytest.mark.parametrize("patches", [0, 127, 129, 144, 195, 197])
def test_other_counts_are_not_guessed(patches):
    with pytest.raises(CheckpointError, match="pos_embed"):
        infer_grid(patches, "file")


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), leading=st.integers(0, 2))
def test_a_plane_is_a_plane_on_any_finer_grid(rows, columns, leading):
    """Bilinear stretching keeps leading tokens, ranges and constant planes."""
    positions = torch.rand(1, leading + rows * columns, 2)
    positions[..., 1] = 3.0
    moved = resample(positions, leading, (rows, columns), (2 * rows, 3 * columns))
    assert moved.shape == (1, leading + 6 * rows * columns, 2)
    assert torch.equal(moved[:, :leading], positions[:, :leading])
    assert torch.allclose(moved[:, leading:, 1], torch.tensor(3.0))
    cells = positions[:, leading:, 0]
    assert float(moved[:, leading:, 0].max()) <= float(cells.max()) + 1e-6
    assert float(moved[:, leading:, 0].min()) >= float(cells.min()) - 1e-6


def test_rows_stay_rows():
    rows = torch.arange(4.0).repeat_interleave(2).reshape(1, 8, 1)
    moved = resample(rows, 0, (4, 2), (8, 2)).reshape(8, 2)
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert torch.equal(moved[:, 0], moved[:, 0].sort().values)


@pytest.fixture
def native(tmp_path):
    model = build(config_of("vit_micro_16", depth=1, classes=3))
    path = tmp_path / "weights.safetensors"
    save_native(path, model, Preprocess(), {})
    return path, model.state_dict()


def test_a_dropped_patch_takes_its_own_position_with_it(native):
    path, before = native
    loaded = load_weights(path, ReadOptions(tokens="cls-drop-patch"))
    positions = loaded.model.state_dict()["backbone.pos_embed"]
    assert torch.equal(positions[:, 0], before["backbone.pos_embed"][:, 0])
    assert torch.equal(positions[:, 1:], before["backbone.pos_embed"][:, 2:])
    assert loaded.config.tokens_in_blocks == 128


def test_the_mean_needs_no_class_token(native):
    path, before = native
    loaded = load_weights(path, ReadOptions(tokens="mean"))
    assert torch.equal(
        loaded.model.state_dict()["backbone.pos_embed"], before["backbone.pos_embed"][:, 1:]
    )
    assert "backbone.cls_token" not in loaded.model.state_dict()
    assert [entry.key for entry in loaded.report.dropped] == ["backbone.cls_token"]


def test_converted_weights_can_be_saved_and_read_again(native, tmp_path):
    for tokens in ("mean", "cls-drop-patch"):
        loaded = load_weights(native[0], ReadOptions(tokens=tokens, size=(128, 64)))
        again = tmp_path / f"{tokens}.safetensors"
        save_native(again, loaded.model, loaded.preprocess, loaded.provenance)
        assert load_weights(again).config == loaded.config


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (ReadOptions(size=(250, 128)), "multiples of 16"),
        (ReadOptions(tokens="pass"), "cannot become 'pass'"),
    ],
)
def test_impossible_changes_are_refused(native, options, sentence):
    with pytest.raises(CheckpointError, match=sentence):
        load_weights(native[0], options)


def test_a_dropped_patch_cannot_be_stretched(native, tmp_path):
    loaded = load_weights(native[0], ReadOptions(tokens="cls-drop-patch"))
    path = tmp_path / "dropped.safetensors"
    save_native(path, loaded.model, loaded.preprocess, {})
    with pytest.raises(CheckpointError, match="then drop the patch"):
        load_weights(path, ReadOptions(size=(384, 128)))
