"""One prediction in a fresh process, to measure a cold start for ``snapship bench``.

python -m edge_runtime.cold_start BUNDLE ARTIFACT ENGINE THREADS IMAGE

Prints the best class and the process's resident memory in bytes after loading.
It does what a minimal program would do, without a command line library.
"""

from __future__ import annotations

import sys
from pathlib import Path


def resident_bytes() -> int:
    """Resident memory of this process in bytes; its peak where the system reports nothing else."""
    try:
        # Linux: size and resident set in pages.
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Bytes on macOS, KiB elsewhere.
        return most if sys.platform == "darwin" else most * 1024
    import os

    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Classifies once and prints."""
    from edge_runtime.bundle.bundle import Bundle
    from edge_runtime.classifier import Classifier

    location, kind, engine, threads, image = sys.argv[1:]
    bundle = Bundle.open(location)
    with Classifier(bundle, bundle.artifact(kind), engine=engine, threads=int(threads)) as classifier:
        loaded = resident_bytes()
        print(classifier.classify(image).top.index, loaded, flush=True)


if __name__ == "__main__":
    main()
