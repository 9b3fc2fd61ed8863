"""Distillation recipes by name or file."""

from __future__ import annotations

from ..recipe_files import Shelf
from . import recipes
from .recipe import DistillRecipe

DISTILLING = Shelf(DistillRecipe, recipes)
recipe_names = DISTILLING.names
load_recipe = DISTILLING.load
