"""The program: ``snapship`` and ``python -m snapship``.

Nothing else is imported first, so that Ctrl-C is one line from the very start.
"""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Runs the program and ends the process."""
    # Imports leave nothing to collect: cli.py enables this again when it has imported the command.
    gc.disable()
    try:
        from snapship.cli import main as run

        run()
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("Interrupted.\n")
        # As in error_exit.py, whose import may have been interrupted.
        sys.exit(130)


if __name__ == "__main__":
    main()
