"""The manifest's one validator: what contradicts itself is refused at its place."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personvit.core.bundle import Bundle
from personvit.core.errors import BundleError
from personvit.core.golden import array_bytes, read_array
from personvit.core.manifest import Bounds, Manifest
from personvit.core.preprocess import Preprocess


@pytest.fixture
def document(tiny_bundle) -> dict:
    return json.loads(Bundle.open(tiny_bundle.path).manifest.to_bytes())


def refuse(document: dict, match: str) -> None:
    with pytest.raises(BundleError, match=match):
        Manifest.from_bytes(json.dumps(document, sort_keys=True, indent=1).encode() + b"\n")


def test_a_manifest_survives_the_round_trip(tiny_bundle) -> None:
    manifest = Bundle.open(tiny_bundle.path).manifest
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest
    assert manifest.preprocess == Preprocess(height=2, width=1)


def test_a_wrong_value_is_named_with_its_place(document) -> None:
    document["variants"][0]["precision"] = "int7"
    refuse(document, r"manifest.json: variants\[0\].precision: must be one of int8.*\"int7\"")


def test_unknown_and_missing_fields_are_named(document) -> None:
    refuse({**document, "extra": 1}, "unknown extra; known are calibration")
    del document["variants"][0]["bounds"]["cosine_min"]
    refuse(document, r"variants\[0\].bounds: lacks cosine_min")


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        (("space", "lineage"), "xyz", "space.lineage: must be a sha256"),
        (("space", "dimension"), 3, "space.id: must be space-"),
        (("space", "dimension"), True, "space.dimension: expected a whole number"),
        (("preprocess", "height"), 4, "model.config.height_px: is 2"),
        (("preprocess", "height"), 0, "preprocess: height must be"),
        (("recipe",), "none.toml", "recipe: names 'none.toml'"),
        (("variants", 0, "name"), "Cpu", r"variants\[0\].name"),
        (("variants", 0, "encoder_id"), "encoder-0", r"variants\[0\].encoder_id"),
        (("variants", 0, "bounds", "cosine_min"), 1.5, "above 0 and at most 1"),
        (("variants", 0, "outputs", 0, "shape"), ["batch", 5], "must end in 2 values"),
        (("variants",), [], "variants: there is none"),
        (("members", 0, "name"), "../x", r"members\[0\].name"),
        (("name",), "", "name: must be"),
        (("schema",), "1", "schema: expected a whole number"),
        (("schema",), 0, "schema: must be 1"),
    ],
)
def test_contradictions_are_refused_at_their_place(document, path, value, match) -> None:
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    refuse(document, match)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"a": 1, "a": 2}',
        b"\xff",
        b"[" * 100_000,
        b'{"schema": NaN}',
        b'{"schema": 1e999}',
    ],
)
def test_what_is_not_a_manifest_is_refused(data) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Manifest.from_bytes(data)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_one_exchanged_value_is_refused_with_a_sentence(document, data) -> None:
    changed = json.loads(json.dumps(document))
    place, key = changed, data.draw(st.sampled_from(sorted(changed)))
    while isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
        place = place[key]
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
    place[key] = data.draw(JSON)
    written = json.dumps(changed, sort_keys=True, indent=1).encode() + b"\n"
    try:
        assert Manifest.from_bytes(written).to_bytes() == written
    except BundleError as problem:
        assert "manifest.json" in str(problem)


def test_ids_follow_what_they_name(tiny_bundle) -> None:
    int8 = tiny_bundle.write().manifest
    other_bounds = tiny_bundle.write(
        variants=(tiny_bundle.variant(bounds=Bounds(0.9, 0.1)),), name="other"
    ).manifest
    full = tiny_bundle.write(variants=(tiny_bundle.variant(precision="fp32"),)).manifest
    after = tiny_bundle.write(
        space=dataclasses.replace(tiny_bundle.draft().space, neck="after")
    ).manifest
    assert int8.space.id == other_bounds.space.id == full.space.id != after.space.id
    assert int8.variants[0].encoder_id == other_bounds.variants[0].encoder_id
    assert len({m.variants[0].encoder_id for m in (int8, full, after)}) == 3
    assert int8.variants[0].outputs[0].space == int8.space.id


def test_arrays_are_ordinary_npy_files(tmp_path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    (tmp_path / "a.npy").write_bytes(array_bytes(array))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), array)
    np.testing.assert_array_equal(read_array(array_bytes(array), "a", np.float32, 2), array)


def test_a_pickle_or_a_lying_header_is_no_array(tmp_path) -> None:
    np.save(tmp_path / "p.npy", np.array([{}], dtype=object))
    good = array_bytes(np.zeros((3, 4), np.float32))
    bad = [(tmp_path / "p.npy").read_bytes(), b"", good[:-1], good + b"\0"]
    bad += [good.replace(b"(3, 4)", b"(9, 9)"), good.replace(b"(3, 4)", b"(-1,4)")]
    for data in bad:
        with pytest.raises(BundleError, match=r"a\.npy"):
            read_array(data, "a.npy", np.float32, 2)
