"""The manifest's one validator: what contradicts itself is refused at its place."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personvit.core.bundle import Bundle, verify, write_bundle
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
        (("calibration",), "none.lock", "calibration: names 'none.lock'"),
        (("variants", 0, "recipe"), "none.toml", r"variants\[0\]: needs 'none.toml'"),
        (("variants", 0, "candidate"), "int7", "must be one of int8, fp16, int8-attention, mixed"),
        (("variants", 0, "candidate"), "mixed", "does not follow from the model, recipe"),
        (("variants", 0, "candidate"), "fp16", "the candidate fp16 for cpu is fp32, not int8"),
        (("variants", 0, "kind"), "trt-attention", "must be 'trt-attention', not 'cpu'"),
        (("probe_source",), "data", "probe_source: must say where the probe crops are from"),
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
    float32 = tiny_bundle.variant(candidate="fp16", precision="fp32", recipe=None)
    full = tiny_bundle.write(variants=(float32,)).manifest
    after = tiny_bundle.write(
        space=dataclasses.replace(tiny_bundle.draft().space, neck="after")
    ).manifest
    assert int8.space.id == other_bounds.space.id == full.space.id != after.space.id
    assert int8.variants[0].encoder_id == other_bounds.variants[0].encoder_id
    assert len({m.variants[0].encoder_id for m in (int8, full, after)}) == 3
    assert int8.variants[0].outputs[0].space == int8.space.id


def test_candidates_of_one_kind_never_share_an_encoder_id(tiny_bundle) -> None:
    """Also where their recipes and precisions are equal."""
    manifests = [
        tiny_bundle.write(variants=(tiny_bundle.variant(candidate=candidate),)).manifest
        for candidate in ("int8", "mixed", "int8-attention")
    ]
    assert len({manifest.variants[0].encoder_id for manifest in manifests}) == 3


def candidates(tiny_bundle, *changes) -> Manifest:
    """Write a bundle of one variant per change, each with its own files."""
    variants = tuple(tiny_bundle.variant(**change) for change in changes)
    contents = tiny_bundle.contents()
    for variant in variants:
        contents[variant.member] = contents["variants/cpu/model.onnx"]
        contents[variant.golden] = contents["golden/cpu.npy"]
    return write_bundle(tiny_bundle.path, tiny_bundle.draft(variants=variants), contents).manifest


def test_the_first_candidate_is_the_default_and_has_the_plain_names(tiny_bundle) -> None:
    mixed = {"name": "cpu-mixed", "candidate": "mixed"}
    manifest = candidates(tiny_bundle, {}, mixed)
    assert manifest.candidates == ("int8", "mixed")
    assert [variant.name for variant in manifest.variants_of("mixed")] == ["cpu-mixed"]
    text = verify(tiny_bundle.path).as_text()
    assert "int8 (default), mixed" in text
    for wrong in ({"name": "mixed", "candidate": "mixed"}, {"name": "cpu-int8"}):
        with pytest.raises(BundleError, match=r"variants\[1\].name: must be 'cpu"):
            candidates(tiny_bundle, {}, wrong)
    with pytest.raises(BundleError, match="'cpu' is there twice"):
        candidates(tiny_bundle, {}, {})


def test_what_no_runtime_can_run_is_no_variant(tiny_bundle) -> None:
    native = {"name": "trt-attention", "kind": "trt-attention", "candidate": "int8-attention"}
    with pytest.raises(BundleError, match="no place for a quantised"):
        candidates(tiny_bundle, native)
    float32 = {"candidate": "fp16", "precision": "fp32", "recipe": "recipe.toml"}
    with pytest.raises(BundleError, match="a graph in fp32 is not quantised"):
        candidates(tiny_bundle, float32)


def test_a_bundle_from_before_candidates_is_refused(document) -> None:
    del document["variants"][0]["candidate"]
    refuse(document, r"variants\[0\]: lacks candidate; export the bundle again")


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
