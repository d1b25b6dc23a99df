"""The recipes of CONTRIBUTING.md: one is followed to the letter, the names in all of them exist."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import Classifier

ROOT = Path(__file__).resolve().parents[2]
RECIPES = re.findall(
    r"^### ([^\n]+)\n(.*?)(?=^### |^## |\Z)",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add a ...")[2].partition("\n## ")[0],
    flags=re.MULTILINE | re.DOTALL,
)
HANDLE = """
import json, os, sys
from types import SimpleNamespace

import serverless
from serverless.app.entry import load_handler

assert serverless.__file__.startswith(os.getcwd()), serverless.__file__
environment = {"SNAPSHIP_BUNDLE": sys.argv[1], "SNAPSHIP_ARTIFACT": "tflite-fp32"}
answer = load_handler(environment)(json.load(sys.stdin), SimpleNamespace(aws_request_id="8476a536"))
print("answer", json.dumps(answer))
"""


def test_recipes_are_there() -> None:
    assert [title for title, _ in RECIPES] == [
        "Engine", "Artifact kind", "Architecture", "Language of the phone app", "Event source", "Front",
    ]  # fmt: skip


@pytest.mark.parametrize(("title", "text"), RECIPES, ids=[title for title, _ in RECIPES])
def test_names_in_a_recipe_exist(title: str, text: str) -> None:
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    made = set(re.findall(r"Create `([^`]+)`", prose))
    files = {name for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)*(?:/|\.\w+))`", prose) if "/" in name}
    assert files
    missing = [file for file in files - made if "ENGINE" not in file and not (ROOT / file).exists()]
    missing += [f"{file} before its recipe" for file in made if (ROOT / file).exists()]
    for name, file in re.findall(r"`(\w+)` in `([^`]+)`", prose):
        if not re.search(rf"\b{name}\b", (ROOT / file).read_text(encoding="utf-8")):
            missing.append(f"{name} in {file}")
    assert not missing


def follow(recipe: str, root: Path) -> None:
    """Does what the recipe's steps with code say: creates a file, or adds lines above a row."""
    steps = re.findall(
        r"^\d+\. ([^\n]+):\n\n( +)```(?:python|text)\n(.*?)^\2```$", recipe, flags=re.MULTILINE | re.DOTALL
    )
    assert len(steps) == 2
    for words, indent, block in steps:
        code = re.sub(f"^{indent}", "", block, flags=re.MULTILINE)
        created = re.fullmatch(r"Create `([^`]+)`", words)
        if created:
            assert not (root / created[1]).exists()
            (root / created[1]).write_text(code, encoding="utf-8")
            continue
        added = re.fullmatch(r"In `([^`]+)`, above the row `([^`]+)` of `\w+`", words)
        assert added is not None, words
        file = root / added[1]
        before = file.read_text(encoding="utf-8")
        assert before.count(f"EventKind({added[2]}") == 1
        above, row, below = re.split(rf"^(?= *EventKind\({added[2]})(.*\n)", before, flags=re.MULTILINE)
        margin = row[: len(row) - len(row.lstrip())]
        file.write_text(f"{above}{margin}{code}{row}{below}", encoding="utf-8")


def send(event: Any, bundle: Path, root: Path) -> tuple[Any, list[dict[str, Any]], str]:
    """The answer of the app's entry in a copy of the packages, its log lines, and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", HANDLE, str(bundle)],
        input=json.dumps(event), cwd=root, env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    answer = json.loads(lines.pop().removeprefix("answer ")) if done.returncode == 0 else None
    return answer, [json.loads(line) for line in lines], done.stderr


def test_event_source_made_by_its_recipe_answers(digits_bundle: Path, tmp_path: Path) -> None:
    for house in ("edge_runtime", "serverless"):
        shutil.copytree(ROOT / house, tmp_path / house, ignore=shutil.ignore_patterns("__pycache__"))
    image = base64.b64encode((digits_bundle / "golden" / "0.png").read_bytes()).decode()
    bodies = [json.dumps({"image": image}), "no JSON", json.dumps({"image": image})]
    records = [
        {
            "eventSource": "aws:kinesis",
            "kinesis": {"sequenceNumber": str(number), "data": base64.b64encode(body.encode()).decode()},
        }
        for number, body in enumerate(bodies)
    ]

    answer, _, stderr = send({"Records": records}, digits_bundle, tmp_path)
    assert answer is None
    assert "Kinesis Data Streams" in stderr

    follow(dict(RECIPES)["Event source"], tmp_path)
    answer, log, stderr = send({"Records": records}, digits_bundle, tmp_path)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}, stderr
    assert [(line["kind"], line["request_id"], line["status"]) for line in log] == [
        ("kinesis", "8476a536/0", 200), ("kinesis", "8476a536/1", 422),
    ]  # fmt: skip
    with Classifier.open(digits_bundle, "tflite-fp32") as classifier:
        expected = classifier.classify(digits_bundle / "golden" / "0.png")
    assert log[0]["label"] == expected.top.label


@pytest.mark.parametrize(
    "step", ["Create `serverless/app/events/sqs.py`", "In `serverless/app/events/kinds.py`"]
)
def test_recipe_that_no_longer_fits_is_noticed(step: str, tmp_path: Path) -> None:
    recipe = dict(RECIPES)["Event source"]
    shutil.copytree(ROOT / "serverless", tmp_path / "serverless")
    broken = (
        re.sub(r"Create `[^`]+`", step, recipe)
        if "Create" in step
        else recipe.replace('`"direct"`', '`"gone"`')
    )
    with pytest.raises(AssertionError):
        follow(broken, tmp_path)
