"""A new model is the same for the same seed, loads back, and says that its weights are random."""

from __future__ import annotations

from pathlib import Path

import pytest

from personvit.core.command import LARGEST_SEED
from personvit.core.errors import UserError
from personvit.core.models.native import load_native
from personvit.train.new_model import NewOptions, new_model


def test_equal_seeds_give_equal_files(tmp_path: Path) -> None:
    files = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        new_model(NewOptions("vit_micro_16", tmp_path / name, "64x32", seed))
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1] != files[2]


def test_the_file_knows_its_size_and_origin(tmp_path: Path) -> None:
    new_model(NewOptions("vit_micro_16", tmp_path / "m", "128x64"))
    loaded = load_native(tmp_path / "m")
    assert (loaded.config.height_px, loaded.preprocess.width) == (128, 64)
    assert loaded.provenance["weights"] == "random"


@pytest.mark.parametrize("size", ["128", "axb", "0x64", "100x50", "16000000x16"])
def test_an_impossible_size_is_refused(tmp_path: Path, size: str) -> None:
    with pytest.raises(UserError):
        new_model(NewOptions("vit_micro_16", tmp_path / "m", size))
    assert not list(tmp_path.iterdir())


def test_the_largest_seed_is_one_that_torch_takes(tmp_path: Path) -> None:
    new_model(NewOptions("vit_micro_16", tmp_path / "m", "64x32", LARGEST_SEED))
    assert (tmp_path / "m").is_file()
