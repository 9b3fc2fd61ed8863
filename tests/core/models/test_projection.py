"""Students that project into a teacher's space: what they are, and whose space they may claim."""

from __future__ import annotations

import json

import pytest
import torch

from personvit.core.errors import CheckpointError, ConfigError
from personvit.core.manifest import Space
from personvit.core.models.config import ModelConfig
from personvit.core.models.lineage import SHARED_SPACE, lineage, sharing, whole_space
from personvit.core.models.native import load_native, save_native
from personvit.core.models.upstream import to_upstream
from personvit.core.models.vit import build
from personvit.core.models.weights import ReadOptions, load_weights
from personvit.core.preprocess import Preprocess

STUDENT = ModelConfig(width=32, depth=1, heads=1, height_px=32, width_px=32, projection=48)
TEACHERS = Space("ab" * 32, "after", 48)


@pytest.fixture
def student():
    torch.manual_seed(0)
    return build(STUDENT).eval()


def test_an_embedding_is_the_projection_of_the_chosen_side(student) -> None:
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        projected = student.projection(student(images).before)
        found = student.embed(images)
    torch.testing.assert_close(found, torch.nn.functional.normalize(projected))
    assert found.shape[1] == STUDENT.embedding == 48
    assert STUDENT.features == 32


def test_the_classifier_and_the_neck_stay_before_the_projection() -> None:
    model = build(ModelConfig(**{**STUDENT.to_dict(), "classes": 5}))
    assert model.classifier.weight.shape == (5, 32)
    assert model.bottleneck.weight.shape == (32,)


def test_a_claim_travels_with_the_file_and_ends_with_the_weights(student, tmp_path) -> None:
    path = tmp_path / "student.safetensors"
    save_native(path, student, Preprocess(height=32, width=32), sharing(student, TEACHERS))
    stored = load_native(path)
    assert whole_space(stored.model, "before", stored.provenance) == TEACHERS
    own = Space(lineage(student), "after", 48)
    assert whole_space(stored.model, "after", stored.provenance) == own, "the other side"
    larger = load_weights(path, ReadOptions(size=(64, 32)))
    assert whole_space(larger.model, "before", larger.provenance).lineage == lineage(larger.model)
    with torch.no_grad():
        stored.model.projection.bias.add_(1)
    assert whole_space(stored.model, "before", stored.provenance) != TEACHERS


@pytest.mark.parametrize("claim", ["", "{", "[]", json.dumps({"by": "someone else"})])
def test_a_claim_that_says_nothing_is_none(student, claim) -> None:
    found = whole_space(student, "before", {SHARED_SPACE: claim})
    assert found.lineage == lineage(student)


def test_a_claim_to_another_dimension_is_none(student) -> None:
    wide = Space("ab" * 32, "after", 64)
    assert whole_space(student, "before", sharing(student, wide)).lineage == lineage(student)


def test_no_published_code_takes_such_a_student(student) -> None:
    with pytest.raises(CheckpointError, match="no published code ends in a projection"):
        to_upstream(student)


def test_a_projection_has_no_negative_width() -> None:
    with pytest.raises(ConfigError, match="not -1"):
        ModelConfig(projection=-1)
