"""``python -m snapship``."""

from snapship.start import main

if __name__ == "__main__":
    main()
