"""A bundle on disk: its manifest, its files, and the checks before anything is used."""
