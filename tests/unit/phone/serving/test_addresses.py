"""The address for a phone, and what is said about it."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from phone.serving import addresses, serving
from phone.serving.addresses import qr_code, reachable, url


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", None),
        ("localhost", None),
        ("::1", None),
        ("192.168.1.7", "192.168.1.7"),
        ("my.host", "my.host"),
    ],
)
def test_host_that_a_phone_reaches(host: str, shown: str | None) -> None:
    assert reachable(host) == shown


def test_wildcard_is_the_network_s_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for found in ("192.168.1.7", None):
        monkeypatch.setattr(addresses, "network_address", lambda found=found: found)
        assert reachable("0.0.0.0") == reachable("::") == found


def test_own_address_is_found_without_sending_anything() -> None:
    found = addresses.network_address()
    assert found is None or not found.startswith("127.")


def test_url_brackets_an_ipv6_address() -> None:
    assert url("192.168.1.7", 8000) == "http://192.168.1.7:8000/"
    assert url("fe80::1", 80) == "http://[fe80::1]:80/"


def test_introduction_says_what_works_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "reachable", lambda host: "192.168.1.7")
    monkeypatch.setattr(serving, "qr_code", lambda text: None)
    lines = serving.introduction("0.0.0.0", 8123)
    text = "\n".join(lines)
    for words in (
        "http://localhost:8123/",
        "On a phone in the same network: http://192.168.1.7:8123/",
        "pip install 'snapship[phone]'",
        "only on https:// and on localhost",
        "adb reverse tcp:8123 tcp:8123",
    ):
        assert words in text
    monkeypatch.setattr(serving, "qr_code", lambda text: f"CODE OF {text}")
    assert "CODE OF http://192.168.1.7:8123/" in serving.introduction("0.0.0.0", 8123)
    monkeypatch.setattr(serving, "reachable", lambda host: None)
    assert "Only this machine can open it. For the network" in "\n".join(
        serving.introduction("127.0.0.1", 8123)
    )
    assert "Only this machine can open it. Connect" in "\n".join(serving.introduction("0.0.0.0", 8123))


def test_one_address_is_not_found_at_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "qr_code", lambda text: None)
    for host, shown in (("192.168.1.7", "192.168.1.7"), ("::1", "[::1]")):
        text = "\n".join(serving.introduction(host, 8123))
        assert f"Serving on http://{shown}:8123/" in text
        assert "localhost:8123" not in text
        assert "adb" not in text


def test_qr_code_is_drawn_in_half_blocks() -> None:
    if find_spec("segno") is None:
        pytest.skip("needs the extra phone (segno)")
    code = qr_code("http://192.168.1.7:8000/")
    assert code is not None
    lines = code.splitlines()
    # 25 modules of version 2, and a border of two.
    assert {len(line) for line in lines if line} == {29}
    assert set(code) <= set("█▀▄ \n")
