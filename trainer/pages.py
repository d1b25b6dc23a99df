"""Pages of one file each: Jinja2 templates, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_runtime.atomic_file import write_whole
from edge_runtime.errors import EnvironmentMissingError
from trainer.backend import training_extra


def render(template: str, context: dict[str, Any]) -> str:
    """Renders a template of this package; every value is escaped.

    Args:
        template: Its file name in ``templates/``.
        context: What it shows.

    Raises:
        EnvironmentMissingError: Jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("The report", "jinja2", training_extra()) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = lambda value: "-" if value is None else f"{100 * value:.1f} %"
    environment.filters["hundredths"] = lambda value: "-" if value is None else f"{100 * value:.1f}"
    return environment.get_template(template).render(context)


def write_page(path: Path, text: str, option: str = "--out") -> None:
    """Writes a page to a temporary name beside it, then renames it.

    Args:
        path: Where; folders above it are made, a page of that name is replaced.
        text: HTML.
        option: What names it, for messages.

    Raises:
        UsageError: The place cannot be written.
    """
    write_whole(path, text, option)
