"""Serves the package's bundle over HTTP on container hosts other than Lambda.

Reads the SNAPSHIP_* variables as the function does, and PORT (default 8000). Part of a container
image only; ``snapship serve`` does the same on a laptop.
"""

import os
import sys

from msgspec.structs import replace


def main() -> None:
    """Serves until it is terminated."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from edge_runtime.common.errors import SnapshipError
    from serverless.app.application import app_of
    from serverless.app.core.settings import AppConfig
    from serverless.serving.limits import OPEN_TO_ALL, ServerLimits, listen
    from serverless.serving.server import run

    try:
        port = os.environ.get("PORT") or "8000"
        if not port.isascii() or not port.isdigit():
            sys.exit(f"PORT must be a number. Received: {port!r}. Set it to 8000.")
        # A server for many: one request must not hold up the others.
        config = replace(AppConfig.read(os.environ), inline=False)
        app = app_of(config)
        with listen("0.0.0.0", int(port)) as sock:
            if not config.keyed:
                cure = "Set SNAPSHIP_AUTH=api-key and SNAPSHIP_API_KEYS for one."
                print(f"{OPEN_TO_ALL} {cure}", file=sys.stderr, flush=True)
            run(app, sock, ServerLimits(max_bytes=config.max_bytes))
    except SnapshipError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
