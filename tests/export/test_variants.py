"""Which graph goes to which runtime."""

from __future__ import annotations

import pytest

from personvit.core.errors import ConfigError
from personvit.export.variants import (
    ALIASES,
    TARGETS,
    VARIANTS,
    kinds_for,
    target_named,
    targets_named,
)


def test_every_target_has_a_graph_its_runtime_can_read():
    for target in TARGETS.values():
        kind = VARIANTS[target.variant]
        before_10_14 = target.name in ("trt10.3", "trt10.13", "deepstream")
        assert kind.spec("before").opset == (20 if kind.attention == "decomposed" else 23)
        assert not (before_10_14 and kind.attention == "native")
        assert (kind.precision == "fp32") == (target.name == "cpu")


def test_only_rtx_can_be_proved_here():
    assert [name for name, target in TARGETS.items() if target.proof == "here"] == ["rtx"]


def test_jetpack_releases_are_aliases():
    assert target_named("JetPack6.2") is TARGETS["trt10.3"]
    assert set(ALIASES.values()) <= set(TARGETS)


def test_targets_are_read_once_each_and_share_graphs():
    targets = targets_named("trt11, cpu,rtx,cpu")
    assert [target.name for target in targets] == ["trt11", "cpu", "rtx"]
    assert [kind.name for kind in kinds_for(targets)] == ["cpu", "trt-attention"]


@pytest.mark.parametrize("text", ["trt9", "cpu,jetson", "", " , "])
def test_unknown_targets_are_refused_with_the_choices(text):
    with pytest.raises(ConfigError, match=r"trt10\.16"):
        targets_named(text)
