"""Runs ranks on the machines of a Ray cluster with Ray Train, which places them and ends them together.

Its ``DataParallelTrainer`` and not its trainer for JAX, which leaves workers on CPUs unconnected (Ray 2.60): ranks
connect as everywhere else. Its checkpoints and restarts are not used: a run has its own, which other launchers share.
"""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError, first_line
from edge_runtime.workers.free_address import free_address

T = TypeVar("T")

Run = Callable[[int, int, str, Callable[[Any], None]], T]
"""Does the work of a rank: its number, how many there are, ``HOST:PORT`` of rank 0, and what takes its events."""

Ended = Callable[[int, str], EnvironmentMissingError]
"""Makes the error of a rank that ended, of its number and how."""

_GRACE_S = 5.0
"""Seconds a rank waits before it fails: it often fails because another has ended, which Ray is to see first."""


def run_ranks(
    ray: Any, run: Run[T], progress: Callable[[Any], None], variables: Mapping[str, str], ended: Ended
) -> T:
    """Runs a function on one rank per GPU of a cluster, or per machine where it has none.

    Args:
        ray: The module, joined to a cluster.
        run: The work; can be pickled. Its results, too.
        progress: Called with the events.
        variables: Environment variables of the ranks.
        ended: The error of a rank that ended.

    Returns:
        What rank 0 returned.

    Raises:
        SnapshipError: What a rank raised.
        EnvironmentMissingError: A rank or the cluster ended, the ranks cannot start, or Ray Train is not
            installed.
    """
    try:
        from ray import train
        from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
        from ray.util.queue import Queue
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Training on a Ray cluster", "ray[train]", "ray") from error
    gpus = int(ray.cluster_resources().get("GPU", 0))
    machines = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    events = Queue(actor_options={"num_cpus": 0})
    # A folder that Ray Train must have. Nothing is stored there, so the other machines need not see it.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        trainer = DataParallelTrainer(
            partial(_run_rank, run, events),
            scaling_config=train.ScalingConfig(
                num_workers=gpus or len(machines), use_gpu=gpus > 0, placement_strategy="SPREAD",
                resources_per_worker={"CPU": 1, "GPU": 1} if gpus else {"CPU": 1},
            ),
            run_config=train.RunConfig(
                storage_path=folder,
                failure_config=train.FailureConfig(controller_failure_limit=0, max_preemption_failures=0),
                worker_runtime_env={"env_vars": dict(variables)},
                logging_config=train.LoggingConfig("ERROR"),
            ),
        )  # fmt: skip
        outcome = _started(trainer.fit)
        try:
            while not outcome.done():
                _hand_on(events, progress)
            _hand_on(events, progress)
            result: T = outcome.result().return_value
        except train.TrainingFailedError as error:
            raise _cause(train, error, ended) from error
        except ray.exceptions.RayError as error:
            raise EnvironmentMissingError(
                f"The cluster must run to the end. Received: {first_line(error)}. "
                "Run the same command to go on after the last epoch."
            ) from error
        return result


def _run_rank(run: Run[T], events: Any) -> T:
    """What a worker of Ray Train does."""
    import ray
    from ray import train
    from ray.train.collective import broadcast_from_rank_zero

    context = train.get_context()
    rank = context.get_world_rank()
    own = free_address(ray.util.get_node_ip_address()) if rank == 0 else None
    address = broadcast_from_rank_zero(own)
    try:
        return run(rank, context.get_world_size(), address, events.put)
    except SnapshipError:
        raise
    except Exception:
        time.sleep(_GRACE_S)
        raise


def _started(work: Callable[[], T]) -> Future[T]:
    """Runs a function in a thread: in the main one, Ray Train takes Ctrl-C for itself."""
    outcome: Future[T] = Future()

    def target() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    # Of no thread pool, whose end would wait for it after Ctrl-C.
    threading.Thread(target=target, daemon=True).start()
    return outcome


def _hand_on(events: Any, progress: Callable[[Any], None]) -> None:
    """Hands on the events that are there, or those of the next half second."""
    try:
        progress(events.get(timeout=0.5))
        for _ in range(events.qsize()):
            progress(events.get())
    except queue.Empty:
        pass


def _cause(train: Any, error: Exception, ended: Ended) -> Exception:
    """The error to tell of all that ranks failed with."""
    if not isinstance(error, train.WorkerGroupError):
        cause = getattr(error, "controller_failure", error)
        return EnvironmentMissingError(
            f"The cluster must start all ranks. Received: {first_line(cause)}. "
            "Wait for other work to end, add machines, or read Ray's logs."
        )
    failures = sorted(error.worker_failures.items())
    for _, failure in failures:
        if isinstance(failure, SnapshipError):
            return failure
    for rank, failure in failures:
        # A process that is gone, behind the check of its health that found it.
        lost = getattr(failure, "health_check_failure", None)
        if lost is not None:
            return ended(rank, f"({first_line(lost)})")
    return RuntimeError(str(error))
