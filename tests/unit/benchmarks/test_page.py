"""The page of benchmarks is made of their results and of nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import page
from benchmarks.machine import LOAD
from benchmarks.result import Column, Figure, Result, command_line, read_results, write_result

ROOT = Path(__file__).resolve().parents[3]


def result(name: str, **changes: object) -> Result:
    made = Result(
        name=name, group="accuracy", title="Accuracy", method="As *measured*.", quick=False,
        command=f"python -m benchmarks.accuracy --only {name}", created="2026-01-02T03:04:05+00:00",
        machine={"CPU": "a CPU, 2 cores", LOAD: "0.1"}, settings={"seed": 0},
        columns=(Column("task"), Column("top-1", "percent"), Column("s", "seconds"), Column("n", "count")),
        rows=((f"{name}|x", 0.8768, 12.34, 1234), ("plain", None, 250.6, 0)),
        figures=(Figure("plain / ours", 1.1, 2.0), Figure("val", 0.885, 0.88), Figure("free", 3.0)),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_page_holds_every_cell_figure_command_and_machine_once() -> None:
    text = page.page([result("a"), result("b", machine={"CPU": "a CPU, 2 cores", LOAD: "0.9"})])
    assert "| a\\|x | 87.7% | 12.3 | 1,234 |" in text
    assert "| plain | - | 251 | 0 |" in text
    assert "| plain / ours | 1.10 |" in text
    assert "| val | 0.885 |" in text
    assert "| free | 3.00 |" in text
    assert text.count("## Accuracy") == text.count("As *measured*.") == 1
    assert "python -m benchmarks.accuracy --only a\npython -m benchmarks.accuracy --only b" in text
    assert text.count("Measured on 2026-01-02. CPU: a CPU, 2 cores; load at the start: 0.1 to 0.9.") == 1


def test_page_shows_small_numbers_in_full_and_no_limits() -> None:
    columns = (Column("top-1", "points"), Column("size", "ratio"), Column("KL", "nats"))
    figures = (
        Figure("KL", 0.00612, most=0.006),
        Figure("size", 0.301, most=0.31),
        Figure("s", 91.0, most=90.0),
    )
    text = page.page([result("a", columns=columns, rows=((-0.54, 0.298, 0.00512),), figures=figures)])
    assert "| -0.5 | 0.30 | 0.0051 |" in text
    assert "| KL | 0.0061 |" in text
    assert "| size | 0.301 |" in text
    assert "| s | 91.00 |" in text
    assert "asked" not in text
    assert "at most" not in text


def test_page_without_results_says_so() -> None:
    assert "Nothing has been measured yet." in page.page([])


def test_quick_results_are_left_out_unless_asked_for_and_marked(tmp_path: Path) -> None:
    write_result(result("a", quick=True), tmp_path)
    out = tmp_path / "page.md"
    assert "Nothing has been measured" in page.main(["--results", str(tmp_path), "--out", str(out)])
    assert "figures mean nothing" in page.main(["--results", str(tmp_path), "--out", str(out), "--quick"])
    assert "87.7%" in out.read_text("utf-8")


def test_results_are_read_back_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    made = [result(name) for name in ("flowers-96", "flowers-160", "cifar10")]
    for entry in made:
        write_result(entry, tmp_path)
    assert [entry.name for entry in read_results(tmp_path)] == ["cifar10", "flowers-96", "flowers-160"]
    assert {entry.name: entry for entry in read_results(tmp_path)} == {entry.name: entry for entry in made}
    assert not list(tmp_path.glob("*.tmp"))


def test_result_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = write_result(result("a"), tmp_path)
    path.write_text(path.read_text("utf-8").replace('"quick"', '"quicker"'), "utf-8")
    with pytest.raises(msgspec.ValidationError, match="quicker"):
        read_results(tmp_path)


def test_command_line_can_be_given_again_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    words = ["--data", str(tmp_path / "my photos"), "--repeats", "3"]
    expected = "KERAS_BACKEND=jax python -m benchmarks.feeding --data 'my photos' --repeats 3"
    assert command_line("benchmarks.feeding", words) == expected


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("../elsewhere/data/flowers", "data/flowers"),
        ("--weights=../elsewhere/weights/a.h5", "--weights=weights/a.h5"),
        ("../elsewhere/flowers.bundle", "flowers.bundle"),
        ("flowers,mnist", "flowers,mnist"),
        ("photos/a.jpg", "photos/a.jpg"),
    ],
)
def test_command_line_names_no_folder_of_this_machine(word: str, shown: str) -> None:
    assert command_line("benchmarks.feeding", [word]) == f"python -m benchmarks.feeding {shown}"


def test_page_in_the_docs_is_the_one_of_the_stored_results() -> None:
    stored = [entry for entry in read_results() if not entry.quick]
    assert (ROOT / "docs" / "benchmarks.md").read_text("utf-8") == page.page(stored), (
        "Run: python -m benchmarks.page"
    )
