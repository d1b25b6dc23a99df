"""A bundle as an HTTP endpoint: one ASGI app for Lambda, a container and a laptop.

Names load on first use:

``create_app``
    Makes the ASGI app that serves a bundle.
``handler``
    The Lambda entry point, ``serverless.app.handler``. Lambda loads it while it starts the
    function, so the model is loaded then and not by the first request.
"""

import gc
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serverless.app.application import create_app
    from serverless.app.entry import Handler

    handler: Handler

__all__ = ["create_app", "handler"]


def __getattr__(name: str) -> Any:
    """Loads a public name on first use and keeps it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: Any
    if name == "handler":
        # Before numpy is imported: its linear algebra threads are not needed and cost start-up time.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # What a start loads stays: a collection meanwhile frees nothing, nor does a later one that visits it.
        gc.disable()
        try:
            from serverless.app.entry import load_handler

            value = load_handler()
            gc.freeze()
        finally:
            gc.enable()
    else:
        from serverless.app.application import create_app as value
    globals()[name] = value
    return value
