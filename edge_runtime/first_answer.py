"""One answer of a fresh process, for ``snapship bench``: what a cold start costs.

python -m edge_runtime.first_answer BUNDLE ARTIFACT ENGINE THREADS IMAGE

Prints the answer's class and the process's resident memory in bytes after loading.
It does what a plain program would do, and nothing else: no command line library.
"""

from __future__ import annotations

import sys
from pathlib import Path


def resident_bytes() -> int:
    """Memory of this process that is in RAM; the largest so far where the system tells no more."""
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
    """Answers once and prints."""
    from edge_runtime.bundle import Bundle
    from edge_runtime.classifier import Classifier

    location, kind, engine, threads, image = sys.argv[1:]
    bundle = Bundle.open(location)
    with Classifier(bundle, bundle.artifact(kind), engine=engine, threads=int(threads)) as classifier:
        loaded = resident_bytes()
        print(classifier.classify(image).top.index, loaded, flush=True)


if __name__ == "__main__":
    main()
