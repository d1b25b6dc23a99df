"""``snapship run``: parse, call, print."""

from __future__ import annotations

import json
from typing import Any

import click

from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_files_together


@click.command("run")
@click.argument("recipe", required=False)
@click.option(
    "--data", metavar="DATA", help="Train on this data instead; any form that snapship train accepts."
)
@click.option(
    "--weights", metavar="FILE", help="Pretrained weights: a file instead of the download, or none."
)
@click.option(
    "--out", metavar="DIR", help="Folder for run, bundle and report. Default: runs/<name of RECIPE>"
)
@click.option(
    "--set", "settings", multiple=True, metavar="TABLE.KEY=VALUE",
    help="Override a key of the recipe, e.g. train.epochs=3; repeatable.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Run every step, even if nothing changed.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would run, without running it.")
@click.option("--list", "listed", is_flag=True, help="List the built-in recipes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else.")
@temporary_files_together()
def run(
    recipe: str | None,
    data: str | None,
    weights: str | None,
    out: str | None,
    settings: tuple[str, ...],
    force: bool,
    plan_only: bool,
    listed: bool,
    as_json: bool,
) -> None:
    """Train, export and check as described by RECIPE; skip steps whose inputs did not change.

    RECIPE is a .toml file with the tables [train], [export] and [check], or the name of a
    built-in recipe. Relative paths in a file start from its folder, those of options and of
    built-in recipes from the current folder. Options override the file, the file overrides
    the defaults.

    A step runs again when its settings, the contents of its data or weights, the version of
    snapship or the output of the previous step changed, or when its own output was changed
    or removed. The exit code is the verdict, even when every step was skipped: 0 pass,
    1 fail, 3 inconclusive (too few images).

    \b
    Example:
      snapship run --list
      snapship run mnist
      snapship run flowers --data photos/ --set train.epochs=20
      snapship run recipe.toml --plan
    """
    if listed:
        _print_recipes(as_json)
        return
    if recipe is None:
        raise UsageError(
            "A run needs a recipe. Received: none. Pass a .toml file or a name from: snapship run --list"
        )
    from exporter.report.terminal_tables import print_report
    from snapship.run.console import RecipeConsole, plan_lines
    from snapship.run.running import plan_recipe, run_recipe

    options: dict[str, Any] = {
        "data": data, "weights": weights, "out": out, "settings": _pairs(settings), "force": force,
    }  # fmt: skip
    if plan_only:
        resolved, plan = plan_recipe(recipe, **options)
        if as_json:
            steps = [{"name": entry.step, "runs": entry.runs, "reason": entry.reason} for entry in plan]
            document = {"recipe": resolved.name, "out": str(resolved.paths.out), "steps": steps}
            click.echo(json.dumps(document, indent=2))
        else:
            click.echo("\n".join(plan_lines(resolved, plan)))
        return
    result = run_recipe(recipe, **options, progress=RecipeConsole(to_stderr=as_json))
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2))
    else:
        click.echo(f"val top-1 {result.val_top1:.1%}")
        print_report(result.report)
        click.echo(f"run     {result.run}")
        click.echo(f"bundle  {result.bundle}")
    result.raise_for_verdict()


def _pairs(settings: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(
                f"A setting must be TABLE.KEY=VALUE. Received: --set {text!r}. Write it as --set train.epochs=3."
            )
        if name in pairs:
            raise UsageError(f"{name} must be given once. Received: --set {name} twice. Leave one out.")
        pairs[name] = value.strip()
    return pairs


def _print_recipes(as_json: bool) -> None:
    from edge_runtime.common.terminal import Column, print_table
    from snapship.run.recipe import builtin_names, read_recipe

    found = [read_recipe(name) for name in builtin_names()]
    if as_json:
        click.echo(json.dumps([{"name": entry.name, "summary": entry.summary, **entry.tables} for entry in found],
                              indent=2))  # fmt: skip
        return
    rows = [
        [entry.name, str(entry.tables["train"].get("data", "--data DATA")),
         str(entry.tables["train"].get("model", "")), entry.summary]
        for entry in found
    ]  # fmt: skip
    print_table([Column("recipe"), Column("data"), Column("model"), Column("what it does")], rows)
