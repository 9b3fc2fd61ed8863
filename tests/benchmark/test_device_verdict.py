"""Candidates of a real bundle, built and timed here; and engines that lie."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from personvit.benchmark import device_verdict
from personvit.benchmark.device_runtime import kinds_for, runtime_named, variants_for
from personvit.benchmark.device_verdict import TrialRequest, decide_on_device
from personvit.core.bundle import Bundle
from personvit.core.errors import BundleError, ConfigError, EnvironmentMismatch


@pytest.fixture(scope="module")
def both(small_bundle, tmp_path_factory) -> Bundle:
    path = tmp_path_factory.mktemp("verdict") / "both.pvb"
    return Bundle.open(small_bundle.write(path, "int8", "fp32"))


def request_in(folder, **changes) -> TrialRequest:
    return dataclasses.replace(
        TrialRequest("openvino", folder, batches=(1, 4), rounds=3), **changes
    )


@pytest.fixture
def lying(monkeypatch):
    """Make one variant's engine answer `change(embeddings)` once it has been opened."""

    def install(variant: str, change) -> None:
        opened = device_verdict.open_engine

        def open_engine(source, name, options):
            engine = opened(source, name, options)
            if options.variant == variant:
                true = engine.embed
                monkeypatch.setattr(engine, "embed", lambda crops: change(true(crops)))
            return engine

        monkeypatch.setattr(device_verdict, "open_engine", open_engine)

    return install


def test_every_candidate_is_built_compared_and_timed(both, tmp_path):
    steps = []
    verdict = decide_on_device(both, request_in(tmp_path), steps.append)
    assert verdict.chosen in {"cpu", "cpu-fp16"}
    assert {trial.candidate for trial in verdict.trials} == {"int8", "fp16"}
    assert all(trial.agreement and trial.agreement.agrees for trial in verdict.trials)
    assert verdict.latency is not None
    assert {(one.name, one.batch) for one in verdict.latency.timings} == {
        (name, size) for name in ("cpu", "cpu-fp16") for size in (1, 4)
    }
    assert verdict.sentence.startswith(f"Ship {verdict.chosen}")
    assert [step for step in steps if "building" in step and "cpu-fp16" in step]
    facts = verdict.as_json()
    assert facts["chosen"] == verdict.chosen
    assert len(facts["trials"]) == 2
    assert verdict.sentence in verdict.as_text()


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found[:, ::-1],
        lambda found: found[::-1].copy(),
        lambda found: np.full_like(found, np.nan),
        lambda found: np.roll(found, 1, axis=0),
    ],
    ids=["permuted values", "permuted crops", "nan", "shifted by one"],
)
def test_a_candidate_that_answers_something_else_is_refused_and_the_other_serves(
    both, tmp_path, lying, change
):
    lying("cpu", change)
    verdict = decide_on_device(both, request_in(tmp_path))
    assert verdict.chosen == "cpu-fp16"
    refused = verdict.trial("cpu")
    assert "does not answer as the host's engine did" in refused.refusal
    assert refused.as_json()["serves"] is False
    assert "refused" in verdict.as_text()


def test_when_none_agrees_the_error_gives_every_reason(both, tmp_path, lying):
    lying("cpu", lambda found: -found)
    with pytest.raises(EnvironmentMismatch, match="cpu: it does not answer"):
        decide_on_device(both, request_in(tmp_path, only="cpu"))


def test_one_variant_can_be_asked_for_by_name(both, tmp_path):
    verdict = decide_on_device(both, request_in(tmp_path, only="cpu-fp16"))
    assert verdict.chosen == "cpu-fp16"
    assert [trial.variant for trial in verdict.trials] == ["cpu-fp16"]
    with pytest.raises(BundleError, match="no variant"):
        decide_on_device(both, request_in(tmp_path, only="cpu-int4"))


def test_each_candidate_keeps_what_it_compiled_in_a_folder_of_its_own(both, tmp_path):
    request = request_in(tmp_path)
    first, second = (request.options(variant).cache for variant in both.manifest.variants)
    assert first != second
    assert first.parent == second.parent == tmp_path


def test_bundles_without_a_form_for_this_runtime_say_what_to_ask_for(both):
    with pytest.raises(BundleError, match="--target"):
        variants_for(both, "tensorrt_rtx")


def test_runtimes_are_named_or_found(monkeypatch):
    assert runtime_named("openvino") == "openvino"
    assert kinds_for("openvino") == ("cpu",)
    assert runtime_named("auto") in {"tensorrt", "tensorrt_rtx", "openvino"}
    with pytest.raises(ConfigError, match="choose auto"):
        runtime_named("torch")


@pytest.mark.parametrize("batches", [(), (0, 1), (4, 4)])
def test_impossible_batches_are_refused(tmp_path, batches):
    with pytest.raises(ConfigError, match="batch sizes"):
        TrialRequest("openvino", tmp_path, batches)
