"""Pre-training recipes by name or file."""

from __future__ import annotations

from ..recipe_files import Shelf
from . import recipes
from .recipe import PretrainRecipe

PRETRAINING = Shelf(PretrainRecipe, recipes)
recipe_names = PRETRAINING.names
load_recipe = PRETRAINING.load
