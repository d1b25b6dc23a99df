"""docs/cloud.md: its commands exist with these options, and its Python classifies a photo."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from serverless.app import create_app
from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.template import Code, template
from serverless.deploy.template.events import IMAGE_SUFFIXES
from snapship.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "cloud.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


CLOUD = {
    "cost": "serverless.deploy.cost.cli:cost",
    "deploy": "serverless.deploy.deploy_cli:deploy",
    "destroy": "serverless.deploy.manage.cli:destroy",
    "invoke": "serverless.deploy.manage.cli:invoke",
    "keys": "serverless.serving.cli:keys",
    "logs": "serverless.deploy.manage.cli:logs",
    "package": "serverless.deploy.package.cli:package",
    "rollback": "serverless.deploy.manage.cli:rollback",
    "serve": "serverless.serving.cli:serve",
    "status": "serverless.deploy.manage.cli:status",
}
"""The commands of the guide, and where they are."""

LINES = [line for block in blocks("sh") for line in block.splitlines() if line]


@pytest.mark.parametrize("line", LINES)
def test_command_of_the_guide_is_one_that_the_program_takes(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0], comments=True)
    assert words[0] == "snapship"
    command, rest = command_of(words[1]), words[2:]
    if isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]
    # Raises UsageError for an option that is not there.
    command.make_context(words[1], rest)


def test_options_named_in_the_text_are_options_of_deploy_or_cost() -> None:
    known = {option for name in CLOUD for parameter in command_of(name).params for option in parameter.opts}
    text = re.sub(r"^```.*?^```$", "", GUIDE, flags=re.MULTILINE | re.DOTALL)
    spans = [span for span in re.findall(r"`([^`\n]+)`", text) if not span.startswith(("aws ", "sam "))]
    named = {word for span in spans for word in re.findall(r"(?<!\S)--[a-z0-9-]+", span)}
    assert len(named) > 20
    assert not named - known


def command_of(name: str) -> click.Command:
    module, _, function = CLOUD[name].partition(":")
    command: click.Command = getattr(importlib.import_module(module), function)
    return command


def test_registered_commands_are_those_of_the_guide() -> None:
    registered = {name: f"{entry.module}:{name}" for name, entry in COMMANDS.items() if name in CLOUD}
    assert registered == {name: CLOUD[name] for name in registered}


def test_outputs_and_suffixes_in_the_text_are_those_of_the_template() -> None:
    deployment = Deployment("flowers", input_bucket="acme-flowers", queue=True)
    made = template(deployment, Code(None, None, "ab" * 32))
    (sentence,) = re.findall(r"The outputs are (.*?)\. These", GUIDE)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(made["Outputs"])
    (sentence,) = re.findall(r"ends in (.*?) \(lower", GUIDE)
    assert tuple(re.findall(r"`(\.\w+)`", sentence)) == IMAGE_SUFFIXES
    assert set(made["Parameters"]) == {"CodeBucket", "CodeKey"}


def test_policy_for_callers_allows_both_actions_on_the_alias() -> None:
    (policy,) = map(json.loads, blocks("json"))
    assert {statement["Action"] for statement in policy["Statement"]} == {
        "lambda:InvokeFunctionUrl",
        "lambda:InvokeFunction",
    }
    assert all(statement["Resource"].endswith(":snapship-flowers:live") for statement in policy["Statement"])


@pytest.fixture
def endpoint(digits_bundle: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A real server, and the headers that it was sent."""
    app, seen = create_app(digits_bundle), []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            seen.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await app(scope, receive, send)

    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = uvicorn.Server(uvicorn.Config(noting, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{sock.getsockname()[1]}", seen
        server.should_exit = True
        thread.join(20)


def test_python_of_the_guide_signs_and_gets_an_answer(
    endpoint: tuple[str, list[dict[str, str]]], digits_bundle: Path, tmp_path: Path
) -> None:
    pytest.importorskip("boto3")
    url, seen = endpoint
    (program,) = [block for block in blocks("python") if "SigV4Auth" in block]
    assert program.count("https://ID.lambda-url.eu-central-1.on.aws") == 1
    program = program.replace("https://ID.lambda-url.eu-central-1.on.aws", url)
    photo = next(iter(sorted((digits_bundle / "golden").glob("*.png"))))
    (tmp_path / "photo.jpg").write_bytes(photo.read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"]
    (headers,) = seen
    assert headers["content-type"] == "image/jpeg"
    assert re.match(
        r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-central-1/lambda/aws4_request, ",
        headers["authorization"],
    )
