"""File names that are not UTF-8 never keep a file from being written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.common.atomic_file import write_whole
from edge_runtime.common.errors import UsageError
from edge_runtime.common.text import as_utf8, is_utf8
from exporter.config.export_config import ExportConfig
from exporter.exporting import export_bundle
from exporter.report.github import SUMMARY_VARIABLE, append_for_runner
from exporter.source.external import check_file
from exporter.source.full_model import find_source
from snapship.run.recipe import toml_text

ODD = "caf\udce9/ü"
SHOWN = "caf\\udce9/ü"


class Record(msgspec.Struct):
    source: str
    more: dict[str, tuple[str, ...]]
    count: int = 3


@pytest.mark.parametrize(("text", "shown"), [(ODD, SHOWN), ("é\n", "é\n"), ("\ud800", "\\ud800"), ("", "")])
def test_only_lone_surrogates_are_escaped(text: str, shown: str) -> None:
    assert as_utf8(text) == shown
    assert is_utf8(text) == (text == shown)


def test_json_page_report_summary_and_recipe_are_written(tmp_path: Path) -> None:
    found = msgspec.json.decode(encode_json(Record(ODD, {ODD: (ODD, "x")})))
    assert found == {"source": SHOWN, "more": {SHOWN: [SHOWN, "x"]}, "count": 3}
    write_whole(tmp_path / "report.xml", ODD)
    write_whole(tmp_path / "page.html", ODD)
    append_for_runner(SUMMARY_VARIABLE, ODD, {SUMMARY_VARIABLE: str(tmp_path / "summary.md")})
    for name in ("report.xml", "page.html", "summary.md"):
        assert (tmp_path / name).read_text("utf-8") == SHOWN
    assert toml_text({"train": {"data": ODD}}).encode() == '[train]\ndata = "caf\\\\udce9/ü"\n'.encode()


@pytest.mark.parametrize("opens", [find_source, lambda path: check_file(Path(path))])
def test_model_at_a_path_that_no_library_opens_is_refused(opens: Callable[[str], object]) -> None:
    with pytest.raises(UsageError, match="must be UTF-8") as caught:
        opens(f"/{ODD}/model.keras")
    assert SHOWN in str(caught.value)


def test_bundle_at_such_a_path_is_refused_before_the_source_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must be UTF-8.*bundle"):
        export_bundle(ExportConfig(source=tmp_path / "nowhere", out=tmp_path / ODD))
