"""Serves the package's bundle over HTTP on container hosts other than Lambda.

Reads the SNAPSHIP_* variables as the function does, and PORT (default 8000). Part of a container
image only; ``snapship serve`` does the same on a laptop.
"""

import os
import sys


def main() -> None:
    """Serves until it is terminated."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from edge_runtime.errors import SnapshipError
    from serverless.app.application import app_of
    from serverless.app.settings import Settings
    from serverless.serving.limits import Limits
    from serverless.serving.listening import OPEN_TO_ALL, listen
    from serverless.serving.server import run

    try:
        port = os.environ.get("PORT") or "8000"
        if not port.isascii() or not port.isdigit():
            sys.exit(f"PORT must be a number. Received: {port!r}. Set it to 8000.")
        settings = Settings.read(os.environ)
        # A server for many clients: a classification must not block other requests.
        app = app_of(settings, inline=False)
        with listen("0.0.0.0", int(port)) as sock:
            if settings.auth == "none":
                cure = "Set SNAPSHIP_AUTH=api-key and SNAPSHIP_API_KEYS for one."
                print(f"{OPEN_TO_ALL} {cure}", file=sys.stderr, flush=True)
            run(app, sock, Limits(max_bytes=settings.max_bytes))
    except SnapshipError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
