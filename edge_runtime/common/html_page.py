"""HTML pages from Jinja2 templates, and the pictures in them. No command of the device loads this."""

from __future__ import annotations

import base64
import io
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


def fitted(picture: Any, side: int) -> Any:
    """Returns a picture whose longest side is at most ``side`` pixels; a tiny one is enlarged sharply.

    Args:
        picture: A ``PIL.Image.Image``; it is changed.
        side: In pixels.
    """
    from PIL import Image

    if max(picture.size) < side // 2:
        factor = side // max(picture.size)
        size = (picture.width * factor, picture.height * factor)
        return picture.resize(size, Image.Resampling.NEAREST)
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    return picture


def data_uri(picture: Any, kind: str = "JPEG", **options: Any) -> str:
    """Returns a picture as a ``data:`` URI.

    Args:
        picture: A ``PIL.Image.Image``.
        kind: ``JPEG`` or ``PNG``.
        options: Pillow's for this kind.
    """
    stored = io.BytesIO()
    picture.save(stored, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stored.getvalue()).decode('ascii')}"
