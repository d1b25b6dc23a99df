"""Train an image classifier once, ship it, and prove that it still gives the same answers.

One import for the public names of every house; each is loaded when it is first used,
so that ``snapship.Classifier`` on a device never loads what training needs.
"""

from typing import TYPE_CHECKING

from snapship._lazy import lazy_names

if TYPE_CHECKING:
    from edge_runtime import (
        Bundle,
        Classifier,
        InputSpec,
        Prediction,
        Result,
        ResultOptions,
        SnapshipError,
        selftest,
    )
    from exporter import CheckConfig, ExportConfig, check, export
    from serverless.app import create_app
    from snapship.run import run_recipe
    from trainer import TrainConfig, evaluate, models, train

    __version__: str

__all__ = [
    "Bundle",
    "CheckConfig",
    "Classifier",
    "ExportConfig",
    "InputSpec",
    "Prediction",
    "Result",
    "ResultOptions",
    "SnapshipError",
    "TrainConfig",
    "__version__",
    "check",
    "create_app",
    "evaluate",
    "export",
    "models",
    "run_recipe",
    "selftest",
    "train",
]

__getattr__, __dir__ = lazy_names(__name__, __all__)
