"""Which rank a process is, and how ``--distributed`` is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from cluster.addresses import host_and_port
from edge_runtime.common.errors import UsageError

FORMS = "auto, env, a number of processes, ray:auto, ray:HOST:PORT or ray://HOST:PORT"
"""What ``--distributed`` may be."""

MOST = 4096
"""Largest number of processes."""

_VARIABLES = (
    ("JAX_PROCESS_ID", "JAX_NUM_PROCESSES", ""),
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
)
"""Variables for the rank, the number of ranks, and the rank on its machine, of what starts ranks: JAX, torchrun,
SLURM and Open MPI."""


@dataclass(frozen=True)
class Place:
    """One rank among all.

    Attributes:
        rank: From 0.
        size: Number of ranks.
        local_rank: Its number on its machine, which is also the number of its GPU; None to use all GPUs.
        address: ``HOST:PORT`` at which rank 0 listens for the others.
    """

    rank: int
    size: int
    local_rank: int | None
    address: str


def parsed(value: object) -> str | int | None:
    """Checks a value of ``--distributed``.

    Args:
        value: What the user passed; None for one process.

    Returns:
        None, ``auto``, ``env``, a number of processes, or a Ray address.

    Raises:
        UsageError: It is none of :data:`FORMS`.
    """
    text = str(value).strip() if value is not None else None
    if text is None or text in ("auto", "env") or text.removeprefix("ray:").strip("/") not in ("", text):
        return text
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST:
        return int(text)
    raise UsageError(f"distributed must be {FORMS}. Received: distributed={value}. Change the option.")


def ray_address(distributed: str | int | None) -> str | None:
    """The address of the cluster that a value of ``--distributed`` names, as ``snapship score --ray`` takes it.

    Args:
        distributed: What :func:`parsed` returned.

    Returns:
        ``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``; None for no cluster.
    """
    if not isinstance(distributed, str) or not distributed.startswith("ray:"):
        return None
    return distributed if distributed.startswith("ray://") else distributed.removeprefix("ray:")


def place_of_environment(variables: Mapping[str, str] | None = None) -> Place:
    """The rank that a launcher has given to this process.

    Args:
        variables: Environment variables; None for those of this process.

    Raises:
        UsageError: There are none, or they contradict each other.
    """
    variables = os.environ if variables is None else variables
    for rank, size, local in _VARIABLES:
        if rank in variables and size in variables:
            place = Place(
                _number(variables, rank), _number(variables, size),
                _number(variables, local) if local and local in variables else None, _address(variables),
            )  # fmt: skip
            if not place.rank < place.size:
                raise UsageError(
                    f"{rank} must be below {size}. Received: {rank}={place.rank}, {size}={place.size}. "
                    "Start all ranks by one launcher."
                )
            return place
    names = "; ".join(f"{rank} and {size}" for rank, size, _ in _VARIABLES)
    raise UsageError(
        f"--distributed env needs the variables of a launcher. Received: none of {names}. "
        "Start the command with torchrun or srun, or pass --distributed N."
    )


def _address(variables: Mapping[str, str]) -> str:
    """Where rank 0 listens."""
    if found := variables.get("JAX_COORDINATOR_ADDRESS"):
        names = f"JAX_COORDINATOR_ADDRESS={found}"
    elif "MASTER_ADDR" in variables and "MASTER_PORT" in variables:
        found = f"{variables['MASTER_ADDR']}:{variables['MASTER_PORT']}"
        names = f"MASTER_ADDR={variables['MASTER_ADDR']}, MASTER_PORT={variables['MASTER_PORT']}"
    else:
        raise UsageError(
            "--distributed env needs the address of rank 0. Received: neither JAX_COORDINATOR_ADDRESS nor "
            "MASTER_ADDR with MASTER_PORT. Set MASTER_ADDR to its host name and MASTER_PORT to a free port, on all "
            "ranks."
        )
    with suppress(ValueError):
        if host_and_port(found) is not None:
            return found
    raise UsageError(
        "The address of rank 0 must be a host and a port of 1 to 65535. "
        f"Received: {names}. Set them alike on all ranks."
    )


def _number(variables: Mapping[str, str], name: str) -> int:
    text = variables[name]
    if not (text.isascii() and text.isdecimal()):
        raise UsageError(f"{name} must be a number. Received: {name}={text}. Unset it, or set it right.")
    return int(text)
