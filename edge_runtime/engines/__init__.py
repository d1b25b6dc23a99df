"""Interpreters behind one protocol, found by the file's format and by what is installed."""

from edge_runtime.engines.base import Engine
from edge_runtime.engines.selection import ENGINES, available, open_engine, usable

__all__ = ["ENGINES", "Engine", "available", "open_engine", "usable"]
