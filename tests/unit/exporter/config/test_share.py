"""Shares as people write them."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from edge_runtime.common.errors import UsageError
from exporter.config.export_config import ExportConfig
from exporter.config.share import parsed_share


@click.command()
@click.option("--max-error", callback=parsed_share)
def command(max_error: float | None) -> None:
    click.echo(repr(max_error))


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("5 %", 0.05), ("0.05", 0.05), (".5%", 0.005), ("99.9%", 0.999)]
)
def test_a_share_is_a_percentage_or_a_fraction(text: str, share: float) -> None:
    found = CliRunner().invoke(command, ["--max-error", text])
    assert float(found.output) == share


@pytest.mark.parametrize("text", ["5", "0", "100%", "-1%", "nan", "abc", "%", ""])
def test_what_is_no_share_is_refused_in_one_line(text: str) -> None:
    found = CliRunner().invoke(command, ["--max-error", text])
    assert isinstance(found.exception, UsageError)
    assert str(found.exception).startswith("--max-error must be a share above 0 and below 1. Received: ")
    assert "\n" not in str(found.exception)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_error": 5.0}, "--max-error"),
        ({"sets": 0.0}, "--sets"),
        ({"max_error": 0.05, "check": False}, "--no-check"),
        ({"unknown": "magic"}, "unknown"),
    ],
)
def test_an_export_refuses_impossible_rules(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ExportConfig("run", "out.bundle", **options)  # type: ignore[arg-type]
