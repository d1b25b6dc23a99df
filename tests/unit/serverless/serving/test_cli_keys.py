"""``snapship keys``."""

from __future__ import annotations

import json

from click.testing import CliRunner

from edge_runtime.common.errors import GateFailedError, UsageError
from serverless.app.core.keys import new_key, parse
from serverless.serving.cli import keys


def test_new_prints_a_secret_that_opens_the_printed_entry() -> None:
    done = CliRunner().invoke(keys, ["new", "phone"])
    assert done.exit_code == 0
    secret, entry = (text.rpartition(" ")[2] for text in done.stdout.splitlines())
    assert parse(entry).check(secret) == "phone"
    found = json.loads(CliRunner().invoke(keys, ["new", "phone", "--json"]).stdout)
    assert parse(found["entry"]).check(found["secret"]) == found["name"] == "phone"
    assert found["secret"] != secret


def test_check_reads_the_secret_from_stdin() -> None:
    (secret, entry), (_, other) = new_key("phone"), new_key("camera")
    done = CliRunner().invoke(keys, ["check", f"{other},{entry}"], input=f"{secret}\n")
    assert (done.exit_code, done.stdout) == (0, "The secret belongs to the key phone.\n")
    done = CliRunner().invoke(keys, ["check", entry, "--json"], input=secret)
    assert json.loads(done.stdout) == {"name": "phone"}


def test_a_wrong_secret_is_exit_1_and_a_bad_entry_exit_2() -> None:
    entry = new_key("phone")[1]
    for wrong in ("nonsense", "", "x" * 100_000):
        done = CliRunner().invoke(keys, ["check", entry], input=wrong)
        assert isinstance(done.exception, GateFailedError)
        assert done.exception.exit_code == 1
        assert "phone" in str(done.exception)
        assert "nonsense" not in str(done.exception)
    for words in (["check", "nonsense"], ["new", "a b"]):
        done = CliRunner().invoke(keys, words, input="x")
        assert isinstance(done.exception, UsageError)
        assert done.exception.exit_code == 2


def test_help_has_an_example() -> None:
    for words in ([], ["new"], ["check"]):
        assert "Example:" in CliRunner().invoke(keys, [*words, "--help"]).stdout
