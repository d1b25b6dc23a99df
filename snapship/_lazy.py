"""Public names that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from snapship.version import version

_HOUSES = {
    "Bundle": "edge_runtime",
    "CheckConfig": "exporter",
    "Classifier": "edge_runtime",
    "ExportConfig": "exporter",
    "InputSpec": "edge_runtime",
    "Prediction": "edge_runtime",
    "Result": "edge_runtime",
    "ResultOptions": "edge_runtime",
    "SnapshipError": "edge_runtime",
    "TrainConfig": "trainer",
    "check": "exporter",
    "create_app": "serverless.app",
    "evaluate": "trainer",
    "export": "exporter",
    "models": "trainer",
    "run_recipe": "snapship.run",
    "selftest": "edge_runtime",
    "train": "trainer",
}


def lazy_names(package: str, names: Sequence[str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Makes ``__getattr__`` and ``__dir__`` of a package whose names live in other packages.

    Args:
        package: The package that offers the names.
        names: Its ``__all__``.
    """

    def load(name: str) -> Any:
        if name == "__version__":
            value: Any = version()
        elif name in _HOUSES:
            value = getattr(import_module(_HOUSES[name]), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # The next access is an ordinary one.
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[package]), *names})

    return load, listing
