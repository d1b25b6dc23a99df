"""Interpreters behind one protocol, found by the file's format and by what is installed."""

from edge_runtime.engines.base import Engine
from edge_runtime.engines.selection import AUTOMATIC, ENGINES, available, open_engine, open_reference, usable

__all__ = ["AUTOMATIC", "ENGINES", "Engine", "available", "open_engine", "open_reference", "usable"]
