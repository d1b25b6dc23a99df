"""pyarrow, imported at use: the base install does without it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError


def parquet() -> Any:
    """The module ``pyarrow.parquet``.

    Raises:
        EnvironmentMissingError: pyarrow is not installed.
    """
    return _module("pyarrow.parquet")


def file_systems() -> Any:
    """The module ``pyarrow.fs``, which brings its own S3.

    Raises:
        EnvironmentMissingError: pyarrow is not installed.
    """
    return _module("pyarrow.fs")


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("snapship score", "pyarrow", "parquet") from error
