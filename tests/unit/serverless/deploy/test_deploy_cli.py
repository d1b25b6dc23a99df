"""The commands of the cloud as far as no cloud is needed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edge_runtime.common.errors import SnapshipError, UsageError
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.deploy_cli import deploy
from serverless.deploy.deploying import curl_command
from serverless.deploy.manage.cli import destroy, invoke, logs, rollback, status
from serverless.deploy.manage.invoking import seconds_of
from serverless.deploy.stack.bucket import only_tls

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


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "lambda.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serverless/app/__init__.py", "")
        archive.writestr("snapship-package.json", json.dumps(RECORD))
    return path


@pytest.mark.parametrize("command", [deploy, status, invoke, logs, rollback, destroy])
def test_help_has_an_example(command: click.Command) -> None:
    found = CliRunner().invoke(command, ["--help"])
    assert found.exit_code == 0
    assert f"    snapship {command.name} flowers" in found.output


def test_template_only_asks_nothing_of_aws(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    words = ["--package", str(package), "--name", "flowers", "--template-only", "--memory", "512"]
    found = CliRunner().invoke(deploy, words)
    assert found.exit_code == 0, found.stderr
    template = json.loads(found.stdout)
    assert template["Resources"]["Function"]["Properties"]["MemorySize"] == 512
    assert "Default" not in template["Parameters"]["CodeBucket"]
    found = CliRunner().invoke(deploy, [*words, "--bucket", "mine"])
    assert json.loads(found.stdout)["Parameters"]["CodeBucket"]["Default"] == "mine"


@pytest.mark.parametrize(
    ("text", "share"), [("10%", 0.1), ("0.1", 0.1), (".25", 0.25), ("0", 0.0), ("99.5%", 0.995)]
)
def test_canary_is_a_share(text: str, share: float, package: Path) -> None:
    seen = []

    @click.command()
    @click.option("--canary", callback=deploy.params[names().index("canary")].callback)
    def command(canary: float) -> None:
        seen.append(canary)

    command.main(["--canary", text], standalone_mode=False)
    assert seen == [pytest.approx(share)]


def names() -> list[str | None]:
    return [param.name for param in deploy.params]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--canary", "100%"], "below 100 %"),
        (["--canary", "1000000"], "share must be"),
        (["--canary", "ten"], "share must be"),
        (["--canary-minutes", "-1"], "canary-minutes"),
        (["--canary-minutes", "nan"], "canary-minutes"),
        (["--memory", "99999"], "Pass a value in that range: --memory MB."),
        (["--timeout", "9999"], "Pass a value in that range: --timeout S."),
        (["--storage", "1"], "Pass a value in that range: --storage MB."),
        (["--retention-days", "31"], "--retention-days N"),
        (["--reserved", "0"], "--reserved N"),
        (["--alarm-p99-ms", "0"], "--alarm-p99-ms MS"),
        (["--canary", "ten"], "Pass --canary 10%"),
        (["--env", "x"], "Pass --env NAME=VALUE"),
        (["--tag", "x"], "Pass --tag NAME=VALUE"),
        (["--plan", "--template-only"], "Pass one of them"),
        (["--snapstart", "--provisioned", "2"], "snapstart"),
    ],
)
def test_wrong_options_are_told_before_anything_happens(words: list[str], reason: str, package: Path) -> None:
    found = CliRunner().invoke(deploy, ["--package", str(package), "--name", "flowers", *words])
    text = f"{found.exception} {found.stderr}"
    assert isinstance(found.exception, SnapshipError | SystemExit)
    assert reason in " ".join(text.split())


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604_800)])
def test_seconds_of(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-1m", "1.5h", "1w", "99999999999s", "\u0661m"])
def test_seconds_of_no_span(text: str) -> None:
    with pytest.raises(UsageError, match="--since 10m"):
        seconds_of(text)


def test_curl_line_says_who_asks() -> None:
    signed = curl_command("https://x.on.aws/", Deployment("a"), "eu-central-1")
    assert signed.endswith(" https://x.on.aws/classify")
    assert "--aws-sigv4 aws:amz:eu-central-1:lambda" in signed
    assert ":execute-api" in curl_command("https://x/", Deployment("a", front="http-api"), "eu-central-1")
    keyed = curl_command("https://x/", Deployment("a", auth="api-key", keys_parameter="/k"), "eu-central-1")
    assert "x-api-key" in keyed
    assert "sigv4" not in keyed
    assert "-H 'x-" not in curl_command("https://x/", Deployment("a", auth="none"), "eu-central-1")


def test_the_code_bucket_answers_over_tls_only() -> None:
    statement = only_tls("code", "aws-cn")["Statement"][0]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Resource"] == ["arn:aws-cn:s3:::code", "arn:aws-cn:s3:::code/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_canary_that_is_no_number() -> None:
    with pytest.raises(UsageError, match="canary"):
        DeployConfig(Deployment("flowers"), canary=float("nan"))


def nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Packaging fails here: its cache is empty, and there is no pip that could fill it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))


def test_a_template_needs_no_package(
    digits_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing_is_downloaded(monkeypatch, tmp_path)
    words = [str(digits_bundle), "--name", "flowers", "--template-only"]
    found = CliRunner().invoke(deploy, words)
    assert found.exit_code == 0, found.exception
    template = json.loads(found.stdout)
    assert set(template["Parameters"]) == {"CodeBucket", "CodeKey", "CodeSha256"}
    (version,) = (
        name for name, one in template["Resources"].items() if one["Type"] == "AWS::Lambda::Version"
    )
    assert template["Resources"][version]["Properties"]["CodeSha256"] == {"Ref": "CodeSha256"}
    other = CliRunner().invoke(deploy, [*words, "--artifact", "tflite-fp32"])
    same = CliRunner().invoke(deploy, words)
    assert version not in other.stdout
    assert same.stdout == found.stdout
    assert not (tmp_path / "cache").exists()
    wrong = CliRunner().invoke(deploy, [str(tmp_path / "none.bundle"), *words[1:]])
    assert "must exist" in str(wrong.exception)


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_DEFAULT_REGION": "eu-central-1"},
        {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        {
            "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1",
        },
        {"AWS_PROFILE": "nobody"},
    ],
    ids=["no-credentials", "no-region", "no-answer", "no-profile"],
)  # fmt: skip
def test_a_plan_that_cannot_ask_aws_names_the_template_before_it_packages(
    digits_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str]
) -> None:
    nothing_is_downloaded(monkeypatch, tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    words = [str(digits_bundle), "--name", "flowers"]
    plan = CliRunner().invoke(deploy, [*words, "--plan"])
    assert isinstance(plan.exception, SnapshipError)
    assert "pass --template-only instead of --plan." in str(plan.exception)
    assert "\n" not in str(plan.exception)
    done = CliRunner().invoke(deploy, words)
    assert isinstance(done.exception, SnapshipError)
    assert "--template-only" not in str(done.exception)
    assert "Packaging" not in plan.stderr + done.stderr
    assert not (tmp_path / "cache").exists()
