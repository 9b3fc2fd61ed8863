"""Plans and their sidecars: what belongs together, and what a machine refuses and why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from personvit.core.errors import BundleError, ConfigError
from personvit.core.preprocess import Preprocess
from personvit.engines.base import TensorSpec
from personvit.engines.catalogue import suited
from personvit.engines.tensorrt_build import Attempt, BuildRequest
from personvit.engines.tensorrt_plan import (
    Computes,
    Here,
    Plan,
    plan_of,
    read_plan,
    write_plan,
)

COMPUTES = Computes(
    "int8",
    Preprocess(16, 8),
    (TensorSpec("images", "uint8", (None, 16, 8, 3), "crops"),),
    (
        TensorSpec("embedding", "float32", (None, 4), "embedding", "space-1"),
        TensorSpec("colours", "float32", (None, 7), "attributes"),
    ),
)
ORIN = Here("tensorrt", "10.3.0", "Orin", "8.7", "36.4.3")
MADE = Attempt(b"the compiler's bytes", (), ("a warning",), "10.3.0", '{"Layers": []}', 12.5)


def made_on(here: Here = ORIN) -> Plan:
    return plan_of("ab" * 32, MADE, BuildRequest(package="tensorrt"), COMPUTES, here)


def made_ahead() -> Plan:
    made = replace(MADE, version="1.7.1")
    return plan_of("ab" * 32, made, BuildRequest(("8.6", "12.0")), COMPUTES, None)


def test_what_was_written_is_read_and_the_plan_is_pure(tmp_path):
    path = tmp_path / "model.plan"
    plan = made_on()
    assert write_plan(path, plan).name == "model.plan.json"
    assert path.read_bytes() == MADE.plan
    assert read_plan(path) == plan
    assert suited(path) == "tensorrt"


def test_a_plan_with_several_outputs_tells_them_all(tmp_path):
    path = tmp_path / "model.plan"
    write_plan(path, made_ahead())
    assert read_plan(path).sidecar.model == COMPUTES
    assert suited(path) == "tensorrt_rtx"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b"the compiler's byteS"), "not the plan"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "not the plan"),
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: sidecar(path).unlink(), r"model\.plan\.json"),
        (lambda path: sidecar(path).write_text('{"schema": 1}'), "schema"),
        (lambda path: sidecar(path).write_text("[]"), "schema"),
        (lambda path: sidecar(path).write_text(sidecar(path).read_text()[:-9]), "not JSON"),
        (lambda path: edit(path, batch="many"), "batch"),
        (lambda path: edit(path, runtime="other"), "runtime"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path, spoil, message):
    path = tmp_path / "model.plan"
    write_plan(path, made_on())
    spoil(path)
    with pytest.raises(BundleError, match=message):
        read_plan(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"package": "tensorrt_rtx"}, "a plan of TensorRT, not of TensorRT-RTX"),
        ({"version": "10.3.1"}, r"built by TensorRT 10\.3\.0, and here is 10\.3\.1"),
        ({"capability": "11.0"}, r"SM 8\.7, and Orin is SM 11\.0"),
        ({"gpu": "NVIDIA A10"}, "built on Orin, and here is NVIDIA A10"),
        ({"l4t": "36.5.0"}, r"L4T 36\.4\.3, and here is 36\.5\.0"),
    ],
)
def test_a_plan_of_another_machine_does_not_fit_and_says_why(change, message):
    plan = made_on()
    assert plan.sidecar.misfit(ORIN) == ""
    assert message.replace("\\", "") in plan.sidecar.misfit(replace(ORIN, **change))


def test_a_plan_made_ahead_fits_the_architectures_it_was_made_for():
    here = Here("tensorrt_rtx", "1.7.1", "any RTX", "8.6")
    assert made_ahead().sidecar.misfit(here) == ""
    assert "SM 8.6, 12.0" in made_ahead().sidecar.misfit(replace(here, capability="8.9"))


def test_a_refused_graph_has_no_plan():
    with pytest.raises(ConfigError, match="refused"):
        plan_of("ab" * 32, replace(MADE, plan=None), BuildRequest(), COMPUTES, ORIN)


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def edit(path: Path, **changes) -> None:
    values = json.loads(sidecar(path).read_text())
    sidecar(path).write_text(json.dumps({**values, **changes}))
