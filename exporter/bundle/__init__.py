"""The bundle on disk: its manifest and files, and its golden examples."""
