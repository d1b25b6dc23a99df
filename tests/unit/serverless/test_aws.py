"""What goes wrong at AWS becomes one line and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from serverless.aws import (
    AwsError,
    CredentialsError,
    MissingResourceError,
    UnreachableError,
    answered,
    code_of,
)

exceptions = pytest.importorskip("botocore.exceptions")

ROOT = Path(__file__).resolve().parents[3]


def refused(code: str, message: str = "No\nway") -> Exception:
    error: Exception = exceptions.ClientError({"Error": {"Code": code, "Message": message}}, "PutObject")
    return error


@pytest.mark.parametrize(
    ("error", "kind", "exit_code", "words"),
    [
        (refused("ExpiredToken"), CredentialsError, 4, "valid AWS credentials"),
        (refused("InvalidClientTokenId"), CredentialsError, 4, "valid AWS credentials"),
        (refused("AccessDenied"), CredentialsError, 4, "permission PutObject"),
        (
            refused("AccessDeniedException", "ada is not authorized to perform: s3:PutObject on x"),
            CredentialsError,
            4,
            "permission s3:PutObject",
        ),
        (refused("ThrottlingException"), UnreachableError, 4, "Wait a little"),
        (refused("NoSuchKey"), MissingResourceError, 2, "NoSuchKey: No way"),
        (
            refused("ValidationError", "Stack with id x does not exist"),
            MissingResourceError,
            2,
            "does not exist",
        ),
        (refused("InvalidParameterValueException"), AwsError, 2, "then repeat the command."),
        (exceptions.NoCredentialsError(), CredentialsError, 4, "aws configure"),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="x"),
            CredentialsError,
            4,
            "aws configure",
        ),
        (exceptions.SSOTokenLoadError(error_msg="x"), CredentialsError, 4, "aws sso login"),
        (exceptions.ProfileNotFound(profile="x"), UsageError, 2, "--profile"),
        (exceptions.NoRegionError(), UsageError, 2, "--region"),
        (
            exceptions.EndpointConnectionError(endpoint_url="http://x"),
            UnreachableError,
            4,
            "AWS_ENDPOINT_URL",
        ),
        (exceptions.ConnectTimeoutError(endpoint_url="http://x"), UnreachableError, 4, "AWS_ENDPOINT_URL"),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), UnreachableError, 4, "AWS_ENDPOINT_URL"),
        (exceptions.ParamValidationError(report="x"), AwsError, 2, "Correct the request"),
    ],
)
def test_error_of_aws_is_a_line(error: Exception, kind: type[Exception], exit_code: int, words: str) -> None:
    with pytest.raises(kind) as caught, answered("Uploading the code"):
        raise error
    assert type(caught.value) is kind
    assert getattr(caught.value, "exit_code", None) == exit_code
    text = str(caught.value)
    assert text.startswith("Uploading the code ")
    assert words in text
    assert "Received: " in text
    assert "\n" not in text
    assert caught.value.__cause__ is error


def test_errors_of_others_pass_through() -> None:
    for error in (UsageError("mine"), KeyError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, answered("Doing"):
            raise error
        assert caught.value is error


def test_code_of() -> None:
    assert code_of(refused("NoSuchKey")) == "NoSuchKey"
    assert code_of(ValueError("x")) == ""


@pytest.mark.parametrize(
    "module", ["serverless.aws", "serverless.deploy.deploy_cli", "serverless.deploy.manage.cli"]
)
def test_nothing_of_aws_is_imported_before_it_is_asked(module: str) -> None:
    code = f"import sys, {module}; print([m for m in sys.modules if m.startswith(('boto', 'tensorflow', 'keras'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_boto3_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from serverless.aws import client\n"
        "try: client('s3')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("EnvironmentMissingError")
    assert "pip install 'snapship[deploy]'" in done.stdout


def test_function_in_the_cloud_needs_nothing_of_deploy() -> None:
    code = "import sys, serverless.aws; print([m for m in sys.modules if m.startswith('serverless.')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "['serverless.aws']"
