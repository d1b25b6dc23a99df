"""The app as one HTML file that opens from disk: everything embedded, nothing loaded from beside it."""
