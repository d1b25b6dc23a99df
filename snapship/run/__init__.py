"""``snapship run``: from labelled images to a checked bundle, running only the steps that are needed."""

from snapship.run.console import RecipeProgress
from snapship.run.plan import Decision
from snapship.run.recipe import Recipe, builtin_names, read_recipe
from snapship.run.running import RecipeResult, StepResult, plan_recipe, run_recipe

__all__ = [
    "Decision",
    "Recipe",
    "RecipeProgress",
    "RecipeResult",
    "StepResult",
    "builtin_names",
    "plan_recipe",
    "read_recipe",
    "run_recipe",
]
