"""Every row of the known-bad list: well formed, true of its range and of nothing else."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvit.engines.known_bad import advise, matching
from personvit.engines.known_bad_page import concerns, table
from personvit.engines.known_bad_row import ORIN, THOR, Row
from personvit.engines.known_bad_rows import ROWS

ORIN_SM, THOR_SM = ORIN[0], THOR[0]
ELSEWHERE = (12, 0)
GIB = 2**30
HOSTS = ("github.com", "docs.nvidia.com", "nvidia.github.io")

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)


def found(row: Row, **changes) -> bool:
    """Whether the row is among those for what it concerns, changed in one respect."""
    facts = {
        "version": ".".join(map(str, row.first)),
        "capability": row.capabilities[0] if row.capabilities else ELSEWHERE,
        "precision": row.precisions[0] if row.precisions else "fp16",
        "batch": 1 if row.batch == "one" else 8,
        "product": row.product,
        "memory": int(((row.below_gib or 64) - 1) * GIB),
    }
    facts |= changes
    return row in matching(facts.pop("version"), facts.pop("capability"), **facts)


def before(version: tuple[int, ...]) -> str:
    """A version just below, as packages write one."""
    *head, last = version
    if last:
        return ".".join(map(str, (*head, last - 1, 999)))
    return before(tuple(head)) if len(head) > 1 else f"{head[0] - 1}.999.999"


@rows
def test_a_row_is_found_in_its_range_and_not_outside(row):
    first = ".".join(map(str, row.first))
    assert found(row)
    assert found(row, version=f"{first}.0.30-1+cuda12.5")
    assert not found(row, version=before(row.first))
    if row.until:
        assert found(row, version=before(row.until))
        assert not found(row, version=".".join(map(str, row.until)))
    else:
        assert found(row, version="99.0")
    for unknown in (None, "", "unknown"):
        assert not found(row, version=unknown)


@rows
def test_a_row_concerns_its_devices_graphs_and_batches_only(row):
    assert found(row, capability=ELSEWHERE) == (not row.capabilities)
    assert found(row, capability=None) == (not row.capabilities)
    assert found(row, precision="bf16") == (not row.precisions)
    assert found(row, precision=None)
    assert found(row, batch=1) == (row.batch != "several")
    assert found(row, batch=2) == (row.batch != "one")
    assert found(row, memory=128 * GIB) == (row.below_gib is None)
    assert found(row, memory=None) == (row.below_gib is None)
    for product in {"tensorrt", "tensorrt-rtx", "jetpack"} - {row.product}:
        assert not found(row, product=product)


@rows
def test_a_row_says_what_who_when_and_what_then(row):
    assert re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)*", row.id)
    assert row.title[0].isupper() or row.title.startswith("onnx")
    for text in (row.title, row.seen):
        assert text.endswith(".")
        assert "|" not in text
    assert row.mend
    assert row.sources
    for url in row.sources:
        assert re.fullmatch(rf"https://({'|'.join(map(re.escape, HOSTS))})/[\w./~#-]+", url)
    assert date(2022, 1, 1) < date.fromisoformat(row.date) <= date(2026, 11, 20)
    assert row.until is None or row.until > row.first
    assert row.workaround in ("static-profile", "fp32-layernorm", "bigger-batch", "avoid", "none")
    assert not (row.applied and row.settled)
    assert row.run == "not run" or "TensorRT-RTX" in row.run


def test_every_row_has_a_name_of_its_own():
    assert len({row.id for row in ROWS}) == len(ROWS)


@rows
def test_advice_applies_the_workaround_of_a_row(row):
    advice = advise(
        ".".join(map(str, row.first)),
        row.capabilities[0] if row.capabilities else ELSEWHERE,
        precision=row.precisions[0] if row.precisions else "fp16",
        batches=(1,) if row.batch == "one" else (1, 8),
        product=row.product,
    )
    if row.below_gib is None:
        assert row in advice.rows
    wanted = {one.workaround for one in advice.rows}
    assert advice.static == ("static-profile" in wanted)
    assert advice.fp32_layernorm == ("fp32-layernorm" in wanted)
    largest = 1 if row.batch == "one" else 8
    assert advice.at_least == (2 if "bigger-batch" in wanted else largest)
    assert bool(advice.avoid) == ("avoid" in wanted)
    if row.workaround == "avoid":
        assert row.title in advice.avoid
        assert row.mend in advice.avoid


@pytest.mark.parametrize(
    ("version", "capability", "precision", "batches", "named", "absent"),
    [
        ("10.3.0.30", ORIN_SM, "fp16", (1, 8), "trt-10.3-dynamic-shapes", "trt-10.7-sdpa"),
        ("10.3.0", (8, 6), "int8", (4,), "trt-10.3-dynamic-shapes", "trt-10.3-depth-anything"),
        ("10.3.0", ORIN_SM, "fp16", (1,), "trt-10.3-fp16-vit", "trt-10.3-dynamic-shapes"),
        ("10.4.0", (8, 6), "fp32", (1, 8), "trt-10.3-dinov3", "trt-10.3-fp16-vit"),
        ("10.7.0.23", (8, 9), "fp32", (8,), "trt-10.7-sdpa", "trt-10.3-dynamic-shapes"),
        ("10.13.3.9", THOR_SM, "fp16", (1,), "trt-10.13-thor-batch-1", "trt-10.13-orin"),
        ("10.13.3.9", THOR_SM, "fp16", (1, 8), "plans-not-portable", "trt-10.13-thor-batch-1"),
        ("10.13.3.9", ORIN_SM, "fp16", (1,), "trt-10.13-orin", "trt-10.13-thor-batch-1"),
        ("10.16.2.10", ORIN_SM, "int8", (1, 8), "trt-10.16-attention", "trt-10.13-orin"),
        ("11.4.0.106", ORIN_SM, "int8", (8,), "trt-11-jetson", "trt-11.4.1-jetson"),
        ("11.4.1", THOR_SM, "int8", (8,), "trt-11.4.1-jetson", "trt-11-jetson"),
        ("11.2.1", (9, 0), "int8", (8,), "trt-11-weak-typing", "trt-11-jetson"),
        ("8.6.2", ORIN_SM, "fp16", (8,), "trt-8-opset", "trt-10.3-dynamic-shapes"),
    ],
)
def test_toolchains_that_people_have(version, capability, precision, batches, named, absent):
    advice = advise(version, capability, precision=precision, batches=batches)
    ids = {row.id for row in advice.rows}
    assert named in ids
    assert absent not in ids


def test_the_device_decides_so_little_is_refused_outright():
    """Rows that forbid are those whose version cannot run a bundle's graphs at all."""
    forbidding = {row.id for row in ROWS if row.workaround == "avoid"}
    assert forbidding == {
        "trt-8-opset",
        "trt-8.6-orin-attention",
        "trt-11-jetson",
        "orin-fp8",
        "rtx-not-here",
    }


def test_nothing_is_advised_against_on_a_machine_that_is_not_known():
    for version in ("1.7.1.116", "1.3.0"):
        advice = advise(version, None, precision="fp16", batches=(1, 8), product="tensorrt-rtx")
        assert (advice.avoid, advice.static, advice.fp32_layernorm) == ("", False, False)


@given(st.text(max_size=30), st.integers(1, 512))
def test_any_version_text_has_an_answer(version, batch):
    advice = advise(version, None, precision="int8", batches=(batch,))
    assert advice.at_least >= batch


@rows
def test_a_row_can_be_printed(row):
    shown = row.as_json()
    assert shown["id"] == row.id
    assert shown["run"] == row.run
    assert shown["first"] in concerns(row)


def test_the_page_and_the_rows_agree(tree):
    page = (tree / "docs/doctor.md").read_text()
    assert table() in page, "print engines.known_bad_page.table() into docs/doctor.md"
