"""Train an image classifier once, ship it, and prove that it still gives the same answers.

One import for the public names of every package; each is loaded at its first use, so
``snapship.Classifier`` on a device never loads what training needs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime import Bundle as Bundle
    from edge_runtime import Classifier as Classifier
    from edge_runtime import InputSpec as InputSpec
    from edge_runtime import Prediction as Prediction
    from edge_runtime import Result as Result
    from edge_runtime import ResultOptions as ResultOptions
    from edge_runtime import SnapshipError as SnapshipError
    from edge_runtime import selftest as selftest
    from exporter import CheckConfig as CheckConfig
    from exporter import ExportConfig as ExportConfig
    from exporter import check as check
    from exporter import check_unlabelled as check_unlabelled
    from exporter import export as export
    from serverless.app import create_app as create_app
    from snapship.run import run_recipe as run_recipe
    from trainer import TrainConfig as TrainConfig
    from trainer import evaluate as evaluate
    from trainer import models as models
    from trainer import train as train

    __version__: str

_PUBLIC = {
    "edge_runtime": "Bundle Classifier InputSpec Prediction Result ResultOptions SnapshipError selftest",
    "exporter": "CheckConfig ExportConfig check check_unlabelled export",
    "serverless.app": "create_app",
    "snapship.run": "run_recipe",
    "trainer": "TrainConfig evaluate models train",
}
"""Names by the package that defines them; type checkers read the imports above, a test compares the two."""

_HOMES = {name: package for package, names in _PUBLIC.items() for name in names.split()}

__all__ = sorted([*_HOMES, "__version__"])

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Imports a public name at its first use (PEP 562)."""
        from importlib import import_module

        if name == "__version__":
            value = import_module("snapship.extras").version()
        elif name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # The next access is an ordinary one.
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """All names, loaded or not."""
        return sorted({*globals(), *__all__})
