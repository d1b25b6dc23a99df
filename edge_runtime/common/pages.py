"""HTML pages from Jinja2 templates. No command of the device loads this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError
from edge_runtime.common.text import as_utf8


def render_page(
    template: Path,
    values: Mapping[str, Any],
    *,
    purpose: str,
    extra: str,
    filters: Mapping[str, Callable[..., str]] | None = None,
) -> str:
    """Renders a template; every value is escaped, and an undefined one is an error.

    Args:
        template: The file; it may include others of its folder.
        values: What it shows.
        purpose: What needs the page, for the message.
        extra: The extra that installs Jinja2.
        filters: Filters that format numbers, by name.

    Returns:
        HTML that can be written as UTF-8, whatever file names it shows.

    Raises:
        EnvironmentMissingError: Jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise EnvironmentMissingError.of_extra(purpose, "jinja2", extra) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    return as_utf8(environment.get_template(template.name).render(values))
