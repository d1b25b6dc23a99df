"""Starts ranks on the machines of a Ray cluster, and ends them together.

Ray's placement groups and actors, not Ray Train: its trainer for JAX leaves CPU workers unconnected, and what it
adds otherwise, checkpoints and restarts, the run has.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError, first_line
from edge_runtime.workers.free_address import free_address

T = TypeVar("T")

Run = Callable[[int, int, str, Callable[[Any], None]], T]
"""Does the work of a rank: its number, how many there are, ``HOST:PORT`` of rank 0, and what takes its events."""

Ended = Callable[[int, str], EnvironmentMissingError]
"""Makes the error of a rank that ended, of its number and how."""

_PLACING_S = 60.0
"""Seconds to wait for free machines."""

_GRACE_S = 5.0
"""Seconds to wait for a cause after a first failure: a rank fails when another has ended."""


class RankActor(Generic[T]):
    """What runs in a worker of the cluster. Errors are returned: Ray would wrap them in its own."""

    def address(self) -> str:
        """Where this rank can listen."""
        import ray

        return free_address(ray.util.get_node_ip_address())

    def run(self, run: Run[T], rank: int, size: int, address: str, mailbox: Any) -> T | BaseException | str:
        """Runs a rank.

        Args:
            run: The work.
            rank: This rank.
            size: Number of ranks.
            address: Rank 0's.
            mailbox: Takes the events.

        Returns:
            The result, an error of ours, or the traceback of any other.
        """
        try:
            return run(rank, size, address, mailbox.put.remote)
        except SnapshipError as error:
            return error
        except Exception:
            return traceback.format_exc()


class Mailbox:
    """An actor that keeps events until they are fetched."""

    def __init__(self) -> None:
        self._events: list[Any] = []

    def put(self, event: Any) -> None:
        """Takes an event."""
        self._events.append(event)

    def take(self) -> list[Any]:
        """Hands out the events since the last time."""
        events, self._events = self._events, []
        return events


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
        EnvironmentMissingError: A rank ended, or there is no room for all.
    """
    gpus = int(ray.cluster_resources().get("GPU", 0))
    machines = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    each = {"CPU": 1.0, "GPU": 1.0} if gpus else {"CPU": 1.0}
    size = gpus or len(machines)
    group = ray.util.placement_group([each] * size, strategy="SPREAD")
    actors: list[Any] = []
    try:
        try:
            ray.get(group.ready(), timeout=_PLACING_S)
        except ray.exceptions.GetTimeoutError as error:
            raise EnvironmentMissingError(
                f"The cluster must have room for all ranks. Received: no {size} times {each} free within "
                f"{_PLACING_S:.0f} s. Wait for other work to end, or add machines."
            ) from error
        environment = {"env_vars": dict(variables)}
        kind = ray.remote(num_cpus=1.0, num_gpus=each.get("GPU", 0.0), runtime_env=environment)(RankActor)
        strategy = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy
        actors = [
            kind.options(scheduling_strategy=strategy(group, placement_group_bundle_index=rank)).remote()
            for rank in range(size)
        ]
        mailbox = ray.remote(num_cpus=0)(Mailbox).remote()
        address = _answer(ray, actors[0].address.remote(), 0, ended)
        tasks = {
            actor.run.remote(run, rank, size, address, mailbox): rank for rank, actor in enumerate(actors)
        }
        result: T = _result_of_first(ray, tasks, mailbox, progress, ended)
        return result
    finally:
        for actor in actors:
            ray.kill(actor)
        ray.util.remove_placement_group(group)


def _result_of_first(
    ray: Any, tasks: dict[Any, int], mailbox: Any, progress: Callable[[Any], None], ended: Ended
) -> Any:
    """Waits for all, and hands on the events."""
    first: Any = None
    while tasks:
        done, _ = ray.wait(list(tasks), num_returns=1, timeout=0.5)
        for event in ray.get(mailbox.take.remote()):
            progress(event)
        for task in done:
            rank = tasks.pop(task)
            answer = _answer(ray, task, rank, ended)
            if isinstance(answer, SnapshipError):
                raise answer
            if isinstance(answer, str):
                raise _cause(ray, tasks, answer, ended)
            first = answer if rank == 0 else first
    return first


def _answer(ray: Any, task: Any, rank: int, ended: Ended) -> Any:
    try:
        return ray.get(task)
    except ray.exceptions.RayError as error:
        raise ended(rank, f"({first_line(error)})") from error


def _cause(ray: Any, tasks: dict[Any, int], trace: str, ended: Ended) -> Exception:
    """Why a rank raised what is no error of ours: often because another one has ended."""
    done, _ = ray.wait(list(tasks), num_returns=1, timeout=_GRACE_S) if tasks else ([], [])
    for task in done:
        try:
            _answer(ray, task, tasks[task], ended)
        except EnvironmentMissingError as error:
            return error
    return RuntimeError(trace)
