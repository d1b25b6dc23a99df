"""``snapship run``: a recipe from labelled images to a checked bundle, each step only when needed."""

from snapship.run.plan import Decision
from snapship.run.recipe import Recipe, builtin_names, read_recipe
from snapship.run.running import RecipeResult, StepResult, plan_recipe, run_recipe

__all__ = [
    "Decision",
    "Recipe",
    "RecipeResult",
    "StepResult",
    "builtin_names",
    "plan_recipe",
    "read_recipe",
    "run_recipe",
]
