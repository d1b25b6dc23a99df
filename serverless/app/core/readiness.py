"""Whether this process reproduces the answers that the bundle was exported with.

The golden examples are replayed once, in a separate thread: when the server starts, or at the
first request to ``/ready``. A Lambda function that never gets one does not pay for it at start-up.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import GateFailedError
from edge_runtime.common.text import shortened
from serverless.app.core.api_schema import Ready
from serverless.app.core.http_problems import NotReadyError

WAIT_SECONDS = 10.0
"""How long a request waits for the self-test; a gateway waits for 29 s."""

POLL_SECONDS = 0.01

CLOSE_SECONDS = 5.0
"""How long a stopping server waits for a running self-test."""

RETRY_RUNNING_SECONDS = 1
RETRY_FAILED_SECONDS = 60
"""A failure is permanent; by then the load balancer may ask another process."""

_log = logging.getLogger("snapship.serverless")


class Readiness:
    """Runs the self-test once and keeps its result. Safe to use from several threads."""

    def __init__(self, selftest: Callable[[], int] | None) -> None:
        """Starts nothing yet.

        Args:
            selftest: Returns the number of examples reproduced, or raises; None if there is nothing
                to replay.
        """
        self._selftest = selftest
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._outcome: Ready | None = None
        if selftest is None:
            self._outcome = Ready("ready", "none", 0)
            self._ended.set()

    def start(self) -> None:
        """Starts the self-test unless it has been started already."""
        with self._lock:
            if self._thread is None and self._selftest is not None:
                self._thread = threading.Thread(target=self._run, name="snapship-selftest", daemon=True)
                self._thread.start()

    async def wait(self, seconds: float = WAIT_SECONDS) -> Ready:
        """Starts the self-test if necessary and waits for its end.

        Args:
            seconds: Maximum time to wait.

        Raises:
            NotReadyError: It is still running, or it failed.
        """
        self.start()
        end = time.monotonic() + seconds
        # Polled rather than waited for in a thread: many requests would use up all threads.
        while not self._ended.is_set() and time.monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
        if not self._ended.is_set():
            raise NotReadyError(
                "The model must have passed its self-test. Received: it is still running. "
                f"Ask again in {RETRY_RUNNING_SECONDS} s.",
                retry_after=RETRY_RUNNING_SECONDS,
            )
        if self._outcome is None:
            raise NotReadyError(
                "The model must have passed its self-test. Received: it failed; the server's log has the "
                "reason. Export the bundle again, or use the library versions of its export.",
                retry_after=RETRY_FAILED_SECONDS,
            )
        return self._outcome

    def close(self) -> None:
        """Waits briefly for a running self-test."""
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        assert self._selftest is not None
        start = time.perf_counter()
        try:
            examples = self._selftest()
        except Exception as error:
            # Only the class and the first line; a stack trace would not explain a difference.
            reason = shortened(str(error).partition("\n")[0], 500)
            _log.error("the self-test failed: %s: %s", type(error).__name__, reason)
        else:
            self._outcome = Ready("ready", "passed", examples)
            ms = (time.perf_counter() - start) * 1000
            _log.info("the self-test passed on %d examples in %.0f ms", examples, ms)
        finally:
            self._ended.set()


def make_selftest(classifier: Classifier, threads: int = 1) -> Callable[[], int] | None:
    """The self-test of a classifier's artifact on its engine.

    Args:
        classifier: An open one; its bundle is reread, its interpreters are not used.
        threads: Threads per inference.

    Returns:
        A function that raises GateFailedError if an example differs; None if the bundle has no examples.
    """
    if classifier.bundle.manifest.golden is None:
        return None

    def replay() -> int:
        # Imported here, since most functions are never asked whether they are ready.
        from edge_runtime.golden import selftest

        outcome = selftest(
            classifier.bundle,
            artifacts=(classifier.artifact.kind,),
            engine=classifier.engine,
            threads=threads,
        )
        different = [one for one in outcome.replays if one.failed is not None]
        if different or not outcome.passed:
            found = "; ".join(f"{one.file} at {one.failed}: {one.detail}" for one in different[:3])
            raise GateFailedError(
                "Every golden example must be reproduced. Received: "
                f"{len(different)} of {len(outcome.replays)} differ ({found or 'no engine ran it'}). "
                "Export the bundle again, or use the library versions of its export."
            )
        # A cascade's examples are replayed on each of its parts as well.
        return len({one.file for one in outcome.replays})

    return replay
