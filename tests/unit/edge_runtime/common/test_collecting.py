"""The garbage collector is off while a large package is imported, and afterwards as before."""

import gc

import pytest

from edge_runtime.common.collecting import without_collecting


@pytest.mark.parametrize("enabled", [True, False])
def test_collector_is_off_within_and_afterwards_as_before(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        with without_collecting():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
