"""Where the program starts: before anything is imported, so that Ctrl-C is one line from then on."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the console script; ends the process."""
    try:
        from snapship.cli import main as run

        run()
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("Interrupted.\n")
        # As failures.py, which may be what was being imported.
        sys.exit(130)
