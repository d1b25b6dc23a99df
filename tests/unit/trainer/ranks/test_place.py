"""Which rank a process is, by its launcher's variables, and what ``--distributed`` may be."""

from __future__ import annotations

from typing import Any

import pytest

from edge_runtime.common.errors import UsageError
from trainer.config.train_config import TrainConfig
from trainer.ranks.place import Place, parsed, place_of_environment, ray_address

TWO = {"RANK": "0", "WORLD_SIZE": "2"}
AT = {"MASTER_ADDR": "head", "MASTER_PORT": "29500"}


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", **AT}, Place(3, 8, 1, "head:29500")),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_LOCALID": "0", **AT}, Place(0, 2, 0, "head:29500")),
        (
            {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "1", **AT},
            Place(1, 2, 1, "head:29500"),
        ),
        (
            {"JAX_PROCESS_ID": "1", "JAX_NUM_PROCESSES": "2", "JAX_COORDINATOR_ADDRESS": "10.0.0.1:1234"},
            Place(1, 2, None, "10.0.0.1:1234"),
        ),
        # What was set by hand wins over what a batch system sets anyway.
        (
            {"RANK": "1", "WORLD_SIZE": "2", "SLURM_PROCID": "0", "SLURM_NTASKS": "1", **AT},
            Place(1, 2, None, "head:29500"),
        ),
    ],
)  # fmt: skip
def test_rank_is_the_launchers(variables: dict[str, str], place: Place) -> None:
    assert place_of_environment(variables) == place


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "needs the variables of a launcher"),
        (TWO, "needs the address of rank 0"),
        ({"RANK": "2", "WORLD_SIZE": "2", **AT}, "RANK must be below WORLD_SIZE"),
        ({"RANK": "one", "WORLD_SIZE": "2", **AT}, "RANK must be a number"),
        ({**TWO, "MASTER_ADDR": "head", "MASTER_PORT": "x"}, "1 to 65535. Received: MASTER_ADDR=head, MASTER_PORT=x"),
        ({**TWO, "MASTER_ADDR": "head", "MASTER_PORT": "99999"}, "MASTER_PORT=99999. Set them"),
        ({**TWO, "MASTER_ADDR": "", "MASTER_PORT": "29500"}, "Received: MASTER_ADDR=, MASTER_PORT=29500"),
        ({**TWO, "JAX_COORDINATOR_ADDRESS": "10.0.0.1"}, "Received: JAX_COORDINATOR_ADDRESS=10.0.0.1. Set"),
    ],
)  # fmt: skip
def test_variables_that_name_no_rank_are_refused(variables: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        place_of_environment(variables)


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, None), ("auto", "auto"), ("env", "env"), ("2", 2), (2, 2), ("ray:auto", "ray:auto"), ("ray://h:1", "ray://h:1")],
)  # fmt: skip
def test_forms(value: Any, found: Any) -> None:
    assert parsed(value) == found


@pytest.mark.parametrize("value", ["", "0", "-1", "2.0", "many", "ray", "ray:", "ray://", "9999999", True])
def test_other_forms_are_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="distributed must be"):
        parsed(value)


def test_address_of_a_cluster() -> None:
    found = [ray_address(value) for value in ("ray:auto", "ray:h:6379", "ray://h:10001", "auto", 2, None)]
    assert found == ["auto", "h:6379", "ray://h:10001", None, None, None]


def test_batch_smaller_than_the_ranks_is_refused() -> None:
    with pytest.raises(UsageError, match="at least the number of processes, 4"):
        TrainConfig(data="digits", out="run", model="lenet5", batch_size=3, distributed=4)
