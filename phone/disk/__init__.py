"""Files on this machine: where outputs may be, and the user's own folders."""
