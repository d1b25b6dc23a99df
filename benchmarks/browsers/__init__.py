"""Real browsers behind one protocol: for the tests of the phone app, and for its benchmarks."""
