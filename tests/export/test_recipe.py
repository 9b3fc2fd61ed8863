"""A recipe survives its file, and a wrong one is refused with the way to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvit.core.errors import ConfigError
from personvit.core.models.config import ModelConfig
from personvit.export.recipe import Recipe, load_recipe, recipe_of, save_recipe, to_toml
from personvit.export.scales import layer_names

TINY = ModelConfig(width=64, heads=1, depth=2)
LAYERS = layer_names(TINY.depth)


@given(
    st.builds(
        Recipe,
        calibration=st.sampled_from(["max", "entropy", "percentile", "mse"]),
        percentile=st.floats(90, 100),
        smooth=st.floats(0, 1),
        patch_convolution=st.booleans(),
        int8_attention=st.booleans(),
        high_precision=st.lists(st.sampled_from(LAYERS), unique=True).map(tuple),
    )
)
def test_a_recipe_written_and_read_is_the_same(recipe: Recipe) -> None:
    import tomllib

    assert recipe_of(tomllib.loads(to_toml(recipe)), "here") == recipe


def test_the_default_is_every_linear_layer_and_nothing_else() -> None:
    assert Recipe().int8_layers(TINY) == set(LAYERS)
    assert len(LAYERS) == 8


def test_protected_layers_stay_float(tmp_path: Path) -> None:
    save_recipe(tmp_path / "r.toml", Recipe().protecting(("blocks.1.mlp.fc2",)))
    loaded = load_recipe(tmp_path / "r.toml")
    assert set(LAYERS) - loaded.int8_layers(TINY) == {"blocks.1.mlp.fc2"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("calibraton = 'max'", "calibraton"),
        ("calibration = 'median'", "entropy"),
        ("smooth = 2", "between 0 and 1"),
        ("smooth = true", "float"),
        ("int8_attention = 1", "bool"),
        ("high_precision = 'blocks.0.attn.qkv'", "list"),
        ("high_precision = [3]", "layer names"),
        ("not toml at all", "not a recipe"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ConfigError, match=says) as refused:
        load_recipe(tmp_path / "r.toml")
    assert "r.toml" in str(refused.value)


def test_a_layer_the_model_does_not_have_is_named() -> None:
    with pytest.raises(ConfigError, match=r"blocks\.9\.attn\.qkv"):
        Recipe(high_precision=("blocks.9.attn.qkv",)).int8_layers(TINY)
