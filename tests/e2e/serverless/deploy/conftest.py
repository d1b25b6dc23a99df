"""A moto server with the types of resources that deployments have, and an empty account for each test."""

from __future__ import annotations

import json
import socket
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from edge_runtime.common.errors import SnapshipError

BESIDE = Path(__file__).parents[1]
"""Where the package motoshim is."""

REGION = "eu-central-1"
RECORD = {
    "snapship": "0",
    "arch": "x86_64",
    "python": "3.12",
    "precompiled": "",
    "bundle": "digits",
    "artifact": "tflite-fp32",
    "artifact_sha256": "0" * 64,
    "wheels": [],
}


@dataclass
class Done:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Cloud:
    """An account of moto's: what the function will answer, what is there, and the commands of snapship."""

    url: str
    folder: Path
    clients: dict[str, Any] = field(default_factory=dict)

    def will_answer(self, *answers: Any) -> None:
        """Queues what the next invocations give; moto runs no code."""
        texts = [json.dumps(answer) for answer in answers]
        post(self.url, "/moto-api/static/lambda-simple/response", {"results": texts, "region": REGION})

    def zipped(self, content: str, **record: Any) -> Path:
        """A package whose code is a text."""
        path = self.folder / f"{content}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            # A fixed time: the same text is the same package.
            for name, text in (
                ("serverless/app/__init__.py", content),
                ("snapship-package.json", json.dumps({**RECORD, **record})),
            ):
                archive.writestr(zipfile.ZipInfo(name), text)
        return path

    def client(self, service: str) -> Any:
        """The test's own."""
        if service not in self.clients:
            import boto3

            self.clients[service] = boto3.client(service)
        return self.clients[service]

    def run(self, command: click.Command, *words: str | Path, input: str | None = None) -> Done:
        """Runs a command as ``snapship`` does."""
        found = CliRunner().invoke(command, [str(word) for word in words], input=input)
        error, err = found.exception, found.stderr
        code = found.exit_code
        if isinstance(error, SnapshipError):
            code, err = error.exit_code, f"{err}Error: {error}\n"
        elif error is not None and not isinstance(error, SystemExit):
            raise error
        return Done(code, found.stdout, err)

    def deploy(self, code: str, *words: str | Path, passed: bool | None = True) -> Done:
        """Deploys a package to the name ``flowers``; its self-test answers so, None for no self-test."""
        from serverless.deploy.deploy_cli import deploy

        if passed is not None:
            self.will_answer({"passed": passed, "detail": "scores differ"})
        return self.run(deploy, "--package", self.zipped(code), "--name", "flowers", "--json", *words)

    def alias(self) -> tuple[str, dict[str, float]]:
        """The version that is live, and the shares of others."""
        found = self.client("lambda").get_alias(FunctionName="snapship-flowers", Name="live")
        return found["FunctionVersion"], (found.get("RoutingConfig") or {}).get(
            "AdditionalVersionWeights"
        ) or {}

    def versions(self) -> list[str]:
        found = self.client("lambda").list_versions_by_function(FunctionName="snapship-flowers")["Versions"]
        return [entry["Version"] for entry in found if entry["Version"] != "$LATEST"]

    def stacks(self) -> list[str]:
        return [entry["StackName"] for entry in self.client("cloudformation").describe_stacks()["Stacks"]]

    def alarm(self, name: str) -> str:
        """The full name of an alarm of the stack."""
        found = self.client("cloudformation").describe_stacks(StackName="snapship-flowers")["Stacks"][0]
        return str({entry["OutputKey"]: entry["OutputValue"] for entry in found["Outputs"]}[name])


def post(url: str, path: str, body: Any = None) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url + path, data=data, method="POST", headers={"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).close()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="session")
def function_url() -> str:
    """Where function URLs point, as moto serves none."""
    return f"http://127.0.0.1:{free_port()}/"


@pytest.fixture(scope="session")
def moto(function_url: str, moto_server: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """Its URL."""
    with moto_server("motoshim", PYTHONPATH=str(BESIDE), MOTOSHIM_FUNCTION_URL=function_url) as url:
        yield url


@pytest.fixture
def cloud(moto: str, use_aws_at: Callable[[str], None], tmp_path: Path) -> Cloud:
    """An empty account, which boto3 finds by AWS's own variables."""
    post(moto, "/moto-api/reset")
    post(moto, "/moto-api/config", {"lambda": {"use_docker": False}})
    use_aws_at(moto)
    return Cloud(moto, tmp_path)
