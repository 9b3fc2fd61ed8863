"""What labels allow: which losses a data set and a teacher's classifier leave of a recipe."""

from __future__ import annotations

from ...core.data.base import ReidDataset
from ...core.errors import ConfigError
from .recipe import DistillRecipe, LabelLoss
from .teacher import Teacher


def labelled(dataset: ReidDataset) -> bool:
    """Whether every training crop says whom it shows."""
    return all(sample.identity >= 0 for sample in dataset.train)


def settled(
    recipe: DistillRecipe, teacher: Teacher, people: int, digest: str
) -> tuple[DistillRecipe, int, list[str]]:
    """The recipe that can be followed, the classes of the student, and what to tell about it.

    `people` is 0 for crops without labels; `digest` names those people.
    """
    notices: list[str] = []
    if not people and recipe.loss.wanted:
        recipe = recipe.model_copy(update={"loss": LabelLoss()})
        notices.append("these crops have no labels, so the losses of [loss] are left out")
    if not people and not recipe.teach.wanted:
        raise ConfigError(
            "these crops have no labels and the recipe teaches nothing without them; give a weight "
            "of [teach] a value above 0, such as --set teach.relation_kl_weight=1"
        )
    classes = people if recipe.loss.identity_weight else 0
    if recipe.teach.logits_weight:
        _check_identities(teacher, people, digest)
        classes = teacher.config.classes
    return recipe, classes, notices


def _check_identities(teacher: Teacher, people: int, digest: str) -> None:
    """The teacher's classes must be the people at hand, where the crops say who they are."""
    known = teacher.config.classes
    if people and known and known != people:
        raise ConfigError(
            f"the teacher's classifier tells {known} people apart and the crops show {people}, so "
            "its logits teach nothing here; set teach.logits_weight=0"
        )
    if people and teacher.identities not in (None, digest):
        raise ConfigError(
            "the teacher's classifier was trained on other people than these crops show; set "
            "teach.logits_weight=0, or distil on the teacher's data set"
        )
