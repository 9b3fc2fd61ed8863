"""What every engine of the catalogue promises; a new engine is covered without an edit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from personvit.core.errors import ConfigError, DataError, EnvironmentMismatch
from personvit.engines.base import EngineOptions, EngineSpec
from personvit.engines.catalogue import engine_named, engines, open_engine

USABLE = [spec for spec in engines() if spec.usable()[0]]


@pytest.fixture(params=USABLE, ids=lambda spec: spec.name)
def opened(request, source_of):
    options = EngineOptions(batch=3, threads=1)
    with open_engine(source_of(request.param), request.param.name, options) as engine:
        yield engine


def test_at_least_pytorch_runs_here_and_the_others_say_what_they_need():
    assert "torch" in {spec.name for spec in USABLE}
    for spec in engines():
        usable, remedy = spec.usable()
        assert usable or remedy


def test_it_declares_what_it_takes_and_gives(opened, crops):
    (main,) = [spec for spec in opened.inputs if spec.meaning == "crops"]
    assert (main.dtype, main.shape[0], main.shape[-1]) == ("uint8", None, 3)
    assert main.shape[1:3] == (opened.preprocess.height, opened.preprocess.width)
    found = opened.run({main.name: crops[:2]})
    assert set(found) == {spec.name for spec in opened.outputs}
    for spec in opened.outputs:
        assert str(found[spec.name].dtype) == spec.dtype
        assert found[spec.name].shape[1:] == spec.shape[1:]
        assert spec.space or spec.meaning != "embedding"


def test_embed_takes_any_number_of_crops(opened, crops):
    whole = opened.embed(crops)
    # Each batch size has kernels of its own on a GPU, and what is not INT8 there is FP16.
    low = opened.info().instruction_set.startswith("sm_")
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-3 if low else 1e-5)
    for count in (0, 1, 3, 4):
        found = opened.embed(crops[:count])
        np.testing.assert_allclose(found, whole[:count], atol=2e-3 if low else 2e-6)
    out = np.full_like(whole, np.nan)
    assert opened.embed(crops, out=out) is out
    np.testing.assert_array_equal(out, whole)


def test_embeddings_agree_with_pytorch_at_every_batch(opened, small_bundle):
    rng = np.random.default_rng(2)
    crops = rng.integers(0, 256, (500, 64, 32, 3), dtype=np.uint8)
    pixels = torch.from_numpy(opened.preprocess.normalise(crops))
    with torch.inference_mode():
        wanted = small_bundle.model.embed(pixels).numpy()
    bound = 0.999 if opened.info().precision.startswith("int8") else 0.999999
    for count in (0, 1, 3, 8, 33):
        found = opened.embed(crops[:count])
        assert found.shape == (count, 32)
        assert (np.einsum("ij,ij->i", found, wanted[:count]) > bound).all()
    assert (np.einsum("ij,ij->i", opened.embed(crops), wanted) > bound).all()


def test_wrong_feeds_are_refused_with_the_right_ones(opened, crops):
    name = opened.inputs[0].name
    with pytest.raises(DataError, match="uint8"):
        opened.embed(crops.astype(np.float32))
    with pytest.raises(DataError, match="any x 64 x 32 x 3"):
        opened.embed(crops[:, :32])
    with pytest.raises(DataError, match="the inputs are"):
        opened.run({name: crops, "stranger": crops})
    with pytest.raises(DataError, match="`out`"):
        opened.embed(crops, out=np.empty((7, 5), dtype=np.float32))


def test_it_says_how_it_runs(opened):
    info = opened.info()
    assert all([info.runtime, info.versions, info.device, info.precision, info.thread_safety])
    assert info.as_json()["precision"] == info.precision


def test_a_closed_engine_says_so(source_of, crops):
    for spec in USABLE:
        with open_engine(source_of(spec), spec.name) as engine:
            engine.embed(crops[:1])
        engine.close()
        with pytest.raises(ConfigError, match="has been closed"):
            engine.embed(crops)


def test_an_engine_that_cannot_run_here_is_never_replaced(monkeypatch, weights):
    absent = EngineSpec("absent", "Absent", "weights", lambda: (False, "pip install it"), None)
    monkeypatch.setattr("personvit.engines.catalogue.engines", lambda: (absent,))
    with pytest.raises(EnvironmentMismatch, match="pip install it"):
        open_engine(str(weights), "absent")


def test_unknown_names_and_impossible_options_are_refused():
    with pytest.raises(ConfigError, match=r"choose from .*torch"):
        engine_named("tensorflow")
    with pytest.raises(ConfigError, match="1 or more"):
        EngineOptions(batch=0)
