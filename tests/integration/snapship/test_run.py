"""``snapship run`` on real data: what is skipped, what is done again, and what it exits with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import GateFailedError, InconclusiveError, SnapshipError
from snapship.cli import cli
from snapship.run import RecipeResult, plan_recipe, run_recipe
from snapship.run.console import RecipeProgress

RECIPE = """
[train]
data = "digits"
model = "small_cnn"
epochs = 1
cache_dir = "cache"

[export]
artifacts = ["tflite-fp32"]
golden = 2

[check]
margin = 0.05
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe file and the folder ``out`` that it made. Read only."""
    base = tmp_path_factory.mktemp("recipe")
    (base / "tiny.toml").write_text(RECIPE)
    result = run_recipe(base / "tiny.toml", out=base / "out")
    assert [step.ran for step in result.steps] == [True, True, True]
    assert result.report.verdict == "pass"
    return base


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    shutil.copytree(finished, tmp_path / "own")
    return tmp_path / "own"


def run(base: Path, **settings: Any) -> RecipeResult:
    return run_recipe(base / "tiny.toml", out=base / "out", settings=settings)


def ran(result: RecipeResult) -> list[str]:
    return [step.name for step in result.steps if step.ran]


def command(base: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["run", str(base / "tiny.toml"), "--out", str(base / "out"), *words])


def test_first_run_leaves_run_bundle_verdict_and_recipe(finished: Path) -> None:
    out = finished / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "check.html", "check.json", "recipe-state.json", "recipe.toml", "run", "tiny.bundle"]  # fmt: skip
    bundle = Bundle.open(out / "tiny.bundle")
    assert bundle.manifest.name == "tiny"
    assert [entry.file for entry in bundle.manifest.artifacts] == ["tiny_fp32.tflite"]
    assert json.loads((out / "check.json").read_text())["margin"] == 0.05


def test_second_run_skips_everything_and_touches_no_result(finished: Path) -> None:
    model = finished / "out" / "run" / "model.keras"
    before = model.stat().st_mtime_ns
    result = run(finished)
    assert ran(result) == []
    assert {step.reason for step in result.steps} == {"nothing changed"}
    assert result.report.verdict == "pass"
    assert model.stat().st_mtime_ns == before


def test_saved_recipe_plans_the_same_work(finished: Path, tmp_path: Path) -> None:
    # Under the recipe's own name, from another folder.
    shutil.copy(finished / "out" / "recipe.toml", tmp_path / "tiny.toml")
    _, plan = plan_recipe(tmp_path / "tiny.toml", out=finished / "out")
    assert [entry.reason for entry in plan] == ["nothing changed"] * 3


def test_changed_margin_redoes_the_check_alone(own: Path) -> None:
    result = run(own, **{"check.margin": 0.04})
    assert ran(result) == ["check"]
    assert result.report.margin == 0.04
    assert ran(run(own, **{"check.margin": 0.04})) == []


def test_changed_meaning_of_inconclusive_redoes_nothing(own: Path) -> None:
    assert ran(run(own, **{"check.inconclusive": "fail"})) == []


def test_removed_bundle_is_exported_again(own: Path) -> None:
    shutil.rmtree(own / "out" / "tiny.bundle")
    assert ran(run(own)) == ["export", "check"]
    assert (own / "out" / "tiny.bundle" / "manifest.json").is_file()


def test_changed_artifact_is_exported_again(own: Path) -> None:
    artifact = own / "out" / "tiny.bundle" / "tiny_fp32.tflite"
    artifact.write_bytes(artifact.read_bytes() + b"\0")
    assert ran(run(own)) == ["export", "check"]


@pytest.mark.slow
def test_changed_training_redoes_everything(own: Path) -> None:
    result = run(own, **{"train.epochs": 2})
    assert ran(result) == ["train", "export", "check"]
    assert result.steps[0].reason == "epochs 1 -> 2"
    assert json.loads((own / "out" / "run" / "run.json").read_text())["metrics"]["epochs"] == 2


def test_moved_results_are_still_the_same(own: Path) -> None:
    (own / "out").rename(own / "elsewhere")
    result = run_recipe(own / "tiny.toml", out=own / "elsewhere", settings={"check.margin": 0.03})
    assert ran(result) == ["check"]


@pytest.mark.slow
def test_failing_step_leaves_the_finished_ones_recorded(own: Path) -> None:
    class Failing(RecipeProgress):
        def step_started(self, step: str) -> None:
            if step == "export":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(own / "tiny.toml", out=own / "out", settings={"train.seed": 1}, progress=Failing())
    result = run(own, **{"train.seed": 1})
    assert ran(result) == ["export", "check"]
    assert result.steps[1].reason == "the output of the previous step changed"


def test_bad_data_is_refused_before_anything_is_written(own: Path) -> None:
    with pytest.raises(SnapshipError, match="DATA must exist"):
        run_recipe(own / "tiny.toml", out=own / "new", data=own / "gone")
    assert not (own / "new").exists()


def test_missing_weights_are_refused_before_anything_is_written(own: Path) -> None:
    with pytest.raises(SnapshipError, match=r"weights must be .* an existing file"):
        run_recipe(
            own / "tiny.toml",
            out=own / "new",
            weights=own / "gone.h5",
            settings={"train.model": "mobilenet_v2"},
        )
    assert not (own / "new").exists()


def test_command_prints_the_plan_and_the_verdict(finished: Path) -> None:
    shown = command(finished)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        [name, "skip", "nothing", "changed"] for name in ("train", "export", "check")]  # fmt: skip
    assert any(line.startswith("Verdict: pass") for line in lines)


def test_command_prints_one_document(finished: Path) -> None:
    shown = command(finished, "--json")
    assert shown.exit_code == 0
    found = json.loads(shown.stdout)
    assert found["verdict"] == found["check"]["verdict"] == "pass"
    assert [step["ran"] for step in found["steps"]] == [False] * 3


def test_plan_runs_nothing(own: Path) -> None:
    before = (own / "out" / "recipe-state.json").read_bytes()
    shown = command(own, "--plan", "--json", "--set", "train.epochs=3")
    assert [step["runs"] for step in json.loads(shown.stdout)["steps"]] == [True] * 3
    assert "epochs 1 -> 3" in command(own, "--plan", "--set", "train.epochs=3").stdout
    assert (own / "out" / "recipe-state.json").read_bytes() == before
    fresh = CliRunner().invoke(cli, ["run", str(own / "tiny.toml"), "--out", str(own / "new"), "--plan"])
    assert fresh.exit_code == 0
    assert not (own / "new").exists()


def test_exit_code_is_the_verdict_also_when_skipped(own: Path) -> None:
    # 385 images cannot tell a drop of 0.01 points.
    words = ("--set", "check.margin=0.0001")
    assert command(own, *words).exit_code == InconclusiveError.exit_code
    again = command(own, *words)
    assert "skip" in again.stdout.splitlines()[3]
    assert again.exit_code == InconclusiveError.exit_code
    assert command(own, *words, "--set", "check.inconclusive=fail").exit_code == GateFailedError.exit_code
    assert command(own, *words, "--set", "check.inconclusive=pass").exit_code == 0


def test_damaged_results_that_match_their_record_are_told(own: Path) -> None:
    """Nothing that is recorded is trusted: a run without its model is trained again, not exported."""
    (own / "out" / "run" / "model.keras").unlink()
    _, plan = plan_recipe(own / "tiny.toml", out=own / "out")
    assert plan[0].reason == "run/model.keras is missing"


def test_list_names_every_builtin_recipe() -> None:
    shown = CliRunner().invoke(cli, ["run", "--list"])
    assert shown.exit_code == 0
    assert "LeNet-5" in shown.stdout
    found = json.loads(CliRunner().invoke(cli, ["run", "--list", "--json"]).stdout)
    assert [entry["name"] for entry in found] == [
        "cifar10", "fashion_mnist", "flowers", "imagenet", "lenet5", "mnist"]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "A run needs a recipe"),
        (["mnits"], "Use one of: cifar10"),
        (["mnist", "--set", "train.epochs"], "TABLE.KEY=VALUE"),
        (["mnist", "--set", "train.epochs=1", "--set", "train.epochs=2"], "must be given once"),
        (["mnist", "--set", "train.epoch=1"], "Did you mean epochs"),
        (["flowers"], "no train.data"),
        (["mnist", "--data", "nowhere/at/all"], "DATA must exist"),
    ],
)
def test_wrong_call_is_one_line_and_exit_code_2(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(cli, ["run", *words])
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert len(shown.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def every_fourth(photos: Path, place: Path) -> Path:
    """A zip of a quarter of the photos of a zip, of each class: 12,000 show no more than 3,000."""
    with zipfile.ZipFile(photos) as archive, zipfile.ZipFile(place, "w") as made:
        for name in sorted(name for name in archive.namelist() if not name.endswith("/"))[::4]:
            made.writestr(name, archive.read(name))
    return place


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "lowest_top1"),
    # After one epoch the averages of batch normalisation may still be those of the start: CPUs differ.
    [("mnist", "mnist", 0.2), ("lenet5", "mnist", 0.2), ("cifar10", "cifar10-subset.zip", 0.0)],
)
def test_builtin_recipe_runs_offline(
    name: str, data: str, lowest_top1: float, shared: Path, tmp_path: Path
) -> None:
    given = shared / "data" / data
    if given.suffix == ".zip":
        given = every_fourth(given, tmp_path / data)
    result = run_recipe(
        name, data=given, out=tmp_path / name,
        settings={
            "train.epochs": 1, "train.cache_dir": tmp_path, "export.artifacts": ["tflite-fp32"],
            "export.weak_reference": "allow", "check.weak_reference": "allow",
        },
    )  # fmt: skip
    assert result.report.verdict == "pass"
    assert result.val_top1 > lowest_top1


@pytest.mark.slow
def test_training_on_another_backend_is_exported_in_the_same_command(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    words = ["run", str(finished / "tiny.toml"), "--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "snapship", *words],
        capture_output=True, text=True, timeout=300, env=os.environ | {"KERAS_BACKEND": "jax"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "run" / "run.json").read_text())["backend"] == "jax"
    assert json.loads(done.stdout)["verdict"] == "pass"
