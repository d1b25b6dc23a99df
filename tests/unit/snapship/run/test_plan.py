"""Which steps run and why: from records and hashes alone, nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import UsageError
from snapship.run.plan import (
    Decision,
    FinishedStep,
    RecipeState,
    changes,
    hash_outputs,
    make_plan,
    read_state,
    whole_inputs,
    write_state,
)
from snapship.run.resolved_recipe import RecipePaths

NAMES = ("train", "export", "check")


@dataclass(frozen=True)
class Step:
    name: str
    values: dict[str, Any]

    def inputs(self) -> dict[str, Any]:
        return self.values


def steps(**changed: Mapping[str, Any]) -> list[Step]:
    return [Step(name, {"margin": 0.02, "size": 28} | dict(changed.get(name, {}))) for name in NAMES]


@pytest.fixture
def done(tmp_path: Path) -> dict[str, FinishedStep]:
    """All three steps, finished in ``tmp_path``."""
    records: dict[str, FinishedStep] = {}
    previous = ""
    for step in steps():
        (tmp_path / step.name).mkdir()
        (tmp_path / step.name / "file").write_text(step.name)
        outputs = hash_outputs(tmp_path, [tmp_path / step.name])
        records[step.name] = FinishedStep(inputs=whole_inputs(step, previous), outputs=outputs, seconds=1.0)
        previous = records[step.name].digest
    return records


def planned(plan: tuple[Decision, ...]) -> dict[str, str]:
    return {entry.step: entry.reason for entry in plan if entry.runs}


def test_everything_runs_at_first(tmp_path: Path) -> None:
    assert planned(make_plan(steps(), {}, tmp_path)) == dict.fromkeys(NAMES, "not done yet")


def test_nothing_runs_when_nothing_changed(tmp_path: Path, done: dict[str, FinishedStep]) -> None:
    plan = make_plan(steps(), done, tmp_path)
    assert planned(plan) == {}
    assert {entry.reason for entry in plan} == {"nothing changed"}


def test_changed_step_runs_with_all_that_follow(tmp_path: Path, done: dict[str, FinishedStep]) -> None:
    assert planned(make_plan(steps(train={"size": 32}), done, tmp_path)) == {
        "train": "size 28 -> 32", "export": "train runs", "check": "export runs"}  # fmt: skip
    assert planned(make_plan(steps(export={"size": 32}), done, tmp_path)) == {
        "export": "size 28 -> 32", "check": "export runs"}  # fmt: skip
    assert planned(make_plan(steps(check={"margin": 0.5}), done, tmp_path)) == {"check": "margin 0.02 -> 0.5"}


def test_force_runs_everything(tmp_path: Path, done: dict[str, FinishedStep]) -> None:
    assert planned(make_plan(steps(), done, tmp_path, force=True)) == dict.fromkeys(NAMES, "--force")


def test_removed_and_changed_output_is_made_again(tmp_path: Path, done: dict[str, FinishedStep]) -> None:
    (tmp_path / "export" / "file").unlink()
    assert planned(make_plan(steps(), done, tmp_path)) == {
        "export": "export/file is missing", "check": "export runs"}  # fmt: skip
    (tmp_path / "export" / "file").write_text("export")
    (tmp_path / "check" / "file").write_text("other")
    assert planned(make_plan(steps(), done, tmp_path)) == {"check": "check/file was changed"}


def test_step_that_was_redone_alone_makes_the_next_one_run(
    tmp_path: Path, done: dict[str, FinishedStep]
) -> None:
    (tmp_path / "train" / "file").write_text("another model")
    outputs = hash_outputs(tmp_path, [tmp_path / "train"])
    redone = done | {"train": FinishedStep(inputs=done["train"].inputs, outputs=outputs, seconds=1.0)}
    assert planned(make_plan(steps(), redone, tmp_path)) == {
        "export": "the output of the previous step changed", "check": "export runs"}  # fmt: skip


def test_step_that_was_never_finished_runs(tmp_path: Path, done: dict[str, FinishedStep]) -> None:
    del done["check"]
    assert planned(make_plan(steps(), done, tmp_path)) == {"check": "not done yet"}


def test_changes_are_told_in_words() -> None:
    before = {"epochs": 1, "augment": ["flip"], "data_sha256": "0", "old": 1}
    assert changes(before, before) == ""
    assert changes(before, before | {"data_sha256": "1"}) == "the data changed"
    assert changes(before, before | {"augment": ["flip", "zoom"]}) == "augment flip -> flip,zoom"
    assert changes(before, {"data_sha256": "1", "new": None}) == (
        "the data changed, new default -> default, epochs 1 -> default, 2 more"
    )


def test_tuples_and_lists_are_the_same_input() -> None:
    assert whole_inputs(Step("train", {"augment": ("flip",)}), "x") == {
        "augment": ["flip"], "previous_step": "x"}  # fmt: skip


def test_state_is_read_back(tmp_path: Path, done: dict[str, FinishedStep]) -> None:
    paths = RecipePaths.of(tmp_path, "mine")
    write_state(paths, RecipeState(schema_version=1, recipe="mine", steps=done))
    assert read_state(paths, "mine", force=False).steps == done
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_new_and_empty_folders_hold_nothing_done(tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "new"):
        assert read_state(RecipePaths.of(out, "mine"), "mine", force=False).steps == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 2, "recipe": "mine", "steps": {}}',
                                  '{"schema_version": 1, "recipe": "mine", "steps": {"train": {}}}'])  # fmt: skip
def test_damaged_state_is_told_and_force_begins_anew(tmp_path: Path, text: str) -> None:
    paths = RecipePaths.of(tmp_path, "mine")
    paths.state.write_text(text)
    with pytest.raises(UsageError, match=r"recipe-state.json must follow its schema.*--force"):
        read_state(paths, "mine", force=False)
    assert read_state(paths, "mine", force=True).steps == {}


def test_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    for force in (False, True):
        with pytest.raises(UsageError, match=r"a new folder.*thesis.txt"):
            read_state(RecipePaths.of(tmp_path, "mine"), "mine", force=force)
        with pytest.raises(UsageError, match=r"must be a folder. Received: .*thesis.txt, a file"):
            read_state(RecipePaths.of(tmp_path / "thesis.txt", "mine"), "mine", force=force)


def test_folder_of_another_recipe_is_left_alone(tmp_path: Path) -> None:
    paths = RecipePaths.of(tmp_path, "mine")
    write_state(paths, RecipeState(schema_version=1, recipe="theirs"))
    with pytest.raises(UsageError, match="results of 'theirs', not of 'mine'"):
        read_state(paths, "mine", force=True)
