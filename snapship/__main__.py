"""``python -m snapship``."""

from snapship.cli import main

if __name__ == "__main__":
    main()
