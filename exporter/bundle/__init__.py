"""The bundle on disk: its files, its golden examples, and where it comes from."""
