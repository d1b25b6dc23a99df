"""API keys: secrets, entries, and what fits what."""

from __future__ import annotations

import hashlib
import string
import threading

import pytest

from edge_runtime.common.errors import UsageError
from serverless.app.core.keys import MAX_KEYS, REMEMBERED, new_key, parse


def test_a_secret_opens_its_entry_and_no_other_does() -> None:
    secret, entry = new_key("phone")
    other, other_entry = new_key("camera")
    keys = parse(f"{entry}, {other_entry}")
    assert keys.names == ("phone", "camera")
    assert (keys.check(secret), keys.check(other)) == ("phone", "camera")
    for wrong in ("", secret[:-1], secret + "x", secret.upper(), entry, "ü", "\ud800", "x" * 10_000):
        assert keys.check(wrong) is None


def test_the_entry_follows_rfc_7914_and_does_not_hold_the_secret() -> None:
    secret, entry = new_key("a.b-c_1")
    name, kind, n, r, p, salt, hash = entry.split(":")
    assert (name, kind) == ("a.b-c_1", "scrypt")
    assert secret not in entry
    own = hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=int(n), r=int(r), p=int(p), dklen=32)
    assert own.hex() == hash


def test_two_keys_of_a_name_share_nothing() -> None:
    (first, entry), (second, other) = new_key("x"), new_key("x")
    assert first != second
    assert entry.split(":")[5:] != other.split(":")[5:]
    # 256 bits in base64, and a prefix that scanners know.
    assert first.startswith("snap_")
    assert len(first) == 48
    assert set(first) <= set(string.ascii_letters + string.digits + "-_")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a,b", "a\nb", "-a", "ä", "x" * 65])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="key's name") as caught:
        new_key(name)
    assert "\n" not in str(caught.value)


def test_entries_may_stand_on_lines() -> None:
    first, second = new_key("a")[1], new_key("b")[1]
    assert parse(f"\n{first}\n\n {second},\n").names == ("a", "b")


SALT_AND_HASH = f"{'0' * 32}:{'0' * 64}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " , \n",
        "snap_secret-that-was-pasted-here",
        f"a:bcrypt:4096:8:1:{SALT_AND_HASH}",
        f"a:scrypt:4095:8:1:{SALT_AND_HASH}",
        f"a:scrypt:1:8:1:{SALT_AND_HASH}",
        f"a:scrypt:0:8:1:{SALT_AND_HASH}",
        f"a:scrypt:4096:0:1:{SALT_AND_HASH}",
        f"a:scrypt:4096:8:17:{SALT_AND_HASH}",
        # 128 MiB for one hash.
        f"a:scrypt:131072:8:1:{SALT_AND_HASH}",
        f"a:scrypt:4096:8:1:00:{'0' * 64}",
        f"a:scrypt:4096:8:1:{'0' * 32}:00",
        f"a:scrypt:4096:8:1:{'0' * 32}:{'g' * 64}",
        f"a:scrypt:4096:8:1:{SALT_AND_HASH}, a:scrypt:4096:8:1:{SALT_AND_HASH}",
    ],
)
def test_no_entries_and_bad_entries_are_one_line_errors(text: str) -> None:
    with pytest.raises(UsageError, match="Received:") as caught:
        parse(text, "SNAPSHIP_API_KEYS")
    assert "\n" not in str(caught.value)
    # It may be a secret in the wrong place, and the message goes to a log.
    assert "pasted" not in str(caught.value)


def test_too_many_keys_are_refused() -> None:
    entries = [f"k{number}:scrypt:4096:8:1:{SALT_AND_HASH}" for number in range(MAX_KEYS + 1)]
    assert len(parse(",".join(entries[1:])).names) == MAX_KEYS
    with pytest.raises(UsageError, match=f"1 to {MAX_KEYS}"):
        parse(",".join(entries))


def test_the_same_entry_with_the_hash_of_another_secret_stays_closed() -> None:
    secret, entry = new_key("a")
    _, other = new_key("b")
    mixed = ":".join([*entry.split(":")[:6], other.split(":")[6]])
    assert parse(mixed).check(secret) is None


def test_a_secret_is_hashed_once_whether_right_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    secret, entry = new_key("a")
    keys = parse(f"{entry},{new_key('b')[1]}")
    calls = []
    plain = hashlib.scrypt

    def counted(*args: object, **options: object) -> bytes:
        calls.append(1)
        return plain(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "scrypt", counted)
    assert keys.known(secret) == (False, None)
    for _ in range(3):
        assert keys.check(secret) == "a"
        assert keys.check("wrong") is None
    # Every entry, whichever fits.
    assert len(calls) == 4
    assert keys.known(secret) == (True, "a")
    assert keys.known("wrong") == (True, None)
    assert keys.known("x" * 10_000) == (True, None)


def test_what_is_remembered_is_bounded_and_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret, entry = new_key("a")
    keys = parse(entry)
    keys.check(secret)
    assert secret not in repr(vars(keys))
    assert hashlib.blake2b(secret.encode(), digest_size=32).digest() not in keys._right
    monkeypatch.setattr(hashlib, "scrypt", lambda *args, **options: b"")
    for number in range(REMEMBERED + 10):
        keys.check(f"wrong {number}")
    assert len(keys._wrong) == REMEMBERED
    assert keys.known("wrong 0") == (False, None)


def test_a_flood_of_wrong_keys_puts_no_right_one_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_key(name) for name in ("a", "b")]
    keys = parse("\n".join(entry for _, entry in made))
    assert [keys.check(secret) for secret, _ in made] == ["a", "b"]
    monkeypatch.setattr(hashlib, "scrypt", lambda *args, **options: b"")
    for number in range(REMEMBERED + 10):
        assert keys.check(f"wrong {number}") is None
    assert [keys.known(secret) for secret, _ in made] == [(True, "a"), (True, "b")]


def test_many_threads_may_check_at_once() -> None:
    secret, entry = new_key("a")
    keys = parse(entry)
    found: list[str | None] = []

    def ask() -> None:
        found.extend([keys.check(secret), keys.check("wrong")])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, found)) == ["None"] * 8 + ["a"] * 8
