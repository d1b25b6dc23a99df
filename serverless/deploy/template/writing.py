"""A template as text."""

from __future__ import annotations

import json
from typing import Any


def text(template: dict[str, Any]) -> str:
    """Writes a template as JSON, the same text for the same template.

    Args:
        template: Of :func:`serverless.deploy.template.building.template`.
    """
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"
