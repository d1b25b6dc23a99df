"""pyarrow, imported at use: the base install does without it."""

from __future__ import annotations

from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError


def parquet() -> Any:
    """The module ``pyarrow.parquet``.

    Raises:
        EnvironmentMissingError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("snapship score", "pyarrow", "parquet") from error
    return pyarrow.parquet


def file_systems() -> Any:
    """The module ``pyarrow.fs``, which brings its own S3.

    Raises:
        EnvironmentMissingError: pyarrow is not installed.
    """
    try:
        import pyarrow.fs
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("snapship score", "pyarrow", "parquet") from error
    return pyarrow.fs
