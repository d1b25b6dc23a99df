"""Work on many machines, by Ray: it places, restarts and moves what the other packages do in one process."""
