"""Writes a recipe as TOML; Python reads TOML and does not write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edge_runtime.text import as_utf8


def toml_text(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns tables as TOML.

    Args:
        tables: Texts, booleans, numbers, and lists and mappings of these, by table and key.
    """
    parts = [
        "\n".join([f"[{table}]", *(f"{key} = {_value(value)}" for key, value in values.items())])
        for table, values in tables.items()
    ]
    return "\n\n".join(parts) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        # Python writes 1e-05, which TOML reads too.
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_value(str(key))} = {_value(item)}' for key, item in value.items())}}}"
    # A JSON string is a TOML string, but for DEL, which TOML wants escaped.
    return json.dumps(as_utf8(str(value)), ensure_ascii=False).replace("\x7f", "\\u007f")
