"""The pages of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_runtime.pages import render_page
from trainer.backend import training_extra

_FILTERS = {
    "percent": lambda value: "-" if value is None else f"{100 * value:.1f} %",
    "hundredths": lambda value: "-" if value is None else f"{100 * value:.1f}",
}


def render(template: str, values: dict[str, Any]) -> str:
    """Renders a template of this package.

    Args:
        template: Its file name in ``templates/``.
        values: What it shows.

    Raises:
        EnvironmentMissingError: Jinja2 is not installed.
    """
    path = Path(__file__).parent / "templates" / template
    return render_page(path, values, purpose="The report", extra=training_extra(), filters=_FILTERS)
