"""``snapship phone --serve``: the app's folder over HTTP on this machine, for a phone in the same network."""
