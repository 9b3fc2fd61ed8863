"""A distillation recipe: fine-tuning's numbers, and what the student learns from its teacher."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ..recipe import Loss, NotNegative, Positive, Recipe, Section

Measure = Literal["cosine", "mse"]


class LabelLoss(Loss):
    """The fine-tuning losses, all of which may be 0 here: the teacher is enough."""

    identity_weight: NotNegative = 0.0
    triplet_weight: NotNegative = 0.0

    @model_validator(mode="after")
    def _something_to_learn(self) -> LabelLoss:
        return self

    @property
    def wanted(self) -> bool:
        return bool(self.identity_weight or self.triplet_weight or self.contrastive_weight)


class Teaching(Section):
    """The weight of each lesson, 0 to leave it out; the formulas are in docs/distill.md."""

    relation_kl_weight: NotNegative = 0.0
    relation_temperature: Positive = 0.2
    relation_mse_weight: NotNegative = 0.0
    cross_kl_weight: NotNegative = 0.0
    """The student's queries against the teacher's gallery; needs one dimension for both."""
    logits_weight: NotNegative = 0.0
    logits_temperature: Positive = 4.0
    embedding_weight: NotNegative = 0.0
    embedding_measure: Measure = "cosine"
    parts_weight: NotNegative = 0.0
    patches_weight: NotNegative = 0.0
    teacher_space: bool = False
    """The projection of the direct embedding loss becomes part of the student, whose embeddings
    then lie in the teacher's space."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """The lessons with a weight."""
        names = [name for name in type(self).model_fields if name.endswith("_weight")]
        return tuple(name.removesuffix("_weight") for name in names if getattr(self, name))

    @model_validator(mode="after")
    def _space_is_learnt(self) -> Teaching:
        if self.teacher_space and not (self.embedding_weight or self.cross_kl_weight):
            raise ValueError(
                "teacher_space is learnt from the embedding or cross_kl loss; give one of "
                "embedding_weight and cross_kl_weight a value above 0"
            )
        return self


class DistillRecipe(Recipe):
    """Nothing here is published for this family: the shipped values are this project's choices."""

    loss: LabelLoss = LabelLoss()
    teach: Teaching = Teaching()

    @model_validator(mode="after")
    def _a_teacher_is_heard(self) -> DistillRecipe:
        if not self.teach.wanted and not self.loss.wanted:
            raise ValueError(
                "all weights of [teach] and [loss] are 0, so there is nothing to learn from"
            )
        return self
