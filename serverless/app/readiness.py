"""Whether this process gives the answers that the bundle was exported with.

The golden examples are make_selftest once, in a thread of their own: when the server starts, or
when ``/ready`` is asked for the first time. A function in the cloud that is never asked
does not pay for it while it starts.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from edge_runtime.classifier import Classifier
from edge_runtime.errors import GateFailedError
from edge_runtime.quoting import shortened
from serverless.app.errors import NotReadyError
from serverless.app.schema import Ready

WAIT_SECONDS = 10.0
"""How long one request waits for the self-test; a gateway waits for 29 s."""

POLL_SECONDS = 0.01

CLOSE_SECONDS = 5.0
"""How long a server that ends waits for a self-test that runs."""

RETRY_RUNNING_SECONDS = 1
RETRY_FAILED_SECONDS = 60
"""A failure stays; by then the balancer may ask another process."""

_log = logging.getLogger("snapship.serverless")


class Readiness:
    """Runs the self-test once and keeps its outcome. Safe to use from several threads."""

    def __init__(self, selftest: Callable[[], int] | None) -> None:
        """Starts nothing yet.

        Args:
            selftest: Returns how many examples gave the same answers, or raises; None where
                there is nothing to replay.
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
        """Starts the self-test if it was not started before."""
        with self._lock:
            if self._thread is None and self._selftest is not None:
                self._thread = threading.Thread(target=self._run, name="snapship-selftest", daemon=True)
                self._thread.start()

    async def wait(self, seconds: float = WAIT_SECONDS) -> Ready:
        """Starts the self-test if necessary and waits for its end.

        Args:
            seconds: At most this long.

        Raises:
            NotReadyError: It runs still, or it failed.
        """
        self.start()
        end = time.monotonic() + seconds
        # Asked now and then rather than waited for in a thread: many who ask would take them all.
        while not self._ended.is_set() and time.monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
        if not self._ended.is_set():
            raise NotReadyError(
                "The model must have passed its self-test. Received: it still runs. "
                f"Ask again in {RETRY_RUNNING_SECONDS} s.",
                retry_after=RETRY_RUNNING_SECONDS,
            )
        if self._outcome is None:
            raise NotReadyError(
                "The model must have passed its self-test. Received: it failed, the server's log names the "
                "reason. Export the bundle again, or use the library versions of its export.",
                retry_after=RETRY_FAILED_SECONDS,
            )
        return self._outcome

    def close(self) -> None:
        """Waits a little for a self-test that runs."""
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        assert self._selftest is not None
        start = time.perf_counter()
        try:
            examples = self._selftest()
        except Exception as error:
            # The class and the first line; a stack trace would say no more of a difference.
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
        classifier: An open one; its bundle is read again, its interpreter stays free.
        threads: Threads of one inference.

    Returns:
        Raises GateFailedError when an example differs; None where the bundle has no examples.
    """
    if classifier.bundle.manifest.golden is None:
        return None

    def replay() -> int:
        # Here, since a function that is never asked whether it is ready needs none of it.
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
                "Every golden example must be as at export. Received: "
                f"{len(different)} of {len(outcome.replays)} differ ({found or 'no engine ran it'}). "
                "Export the bundle again, or use the library versions of its export."
            )
        return len(outcome.replays)

    return replay
