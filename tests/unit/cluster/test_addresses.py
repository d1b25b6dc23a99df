from __future__ import annotations

import pytest

from cluster.addresses import host_and_port


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("10.0.0.1:6379", ("10.0.0.1", 6379)),
        ("[::1]:65535", ("[::1]", 65535)),
        ("auto", None),
        ("head", None),
        ("head:", None),
        (":6379", None),
        ("head:x", None),
        ("head:-1", None),
        ("head:٣", None),
    ],
)
def test_host_and_port(address: str, found: tuple[str, int] | None) -> None:
    assert host_and_port(address) == found


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_number_that_no_port_has(port: int) -> None:
    with pytest.raises(ValueError, match=f"{port} is no port"):
        host_and_port(f"head:{port}")
