"""API keys in an SSM parameter, on a moto server over real HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import SnapshipError
from serverless.app.application import create_app
from serverless.app.core.keys import REREAD_SECONDS, from_parameter, new_key
from serverless.app.core.settings import AppConfig
from serverless.app.entry import Handler, load_handler

EVENT = Path(__file__).parents[4] / "functional" / "serverless" / "events" / "function_url.json"

NAME = "/snapship/pets/keys"

OLD, OLD_ENTRY = new_key("old")
NEW, NEW_ENTRY = new_key("new")


@pytest.fixture(scope="module")
def moto(moto_server: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """Its URL."""
    with moto_server() as url:
        yield url


@pytest.fixture
def ssm(moto: str, use_aws_at: Callable[[str], None]) -> Any:
    boto3 = pytest.importorskip("boto3", reason="needs boto3, which is not installed")
    use_aws_at(moto)
    return boto3.client("ssm")


@pytest.mark.parametrize("kind", ["SecureString", "String"])
def test_a_parameter_of_either_type_is_read(ssm: Any, kind: str) -> None:
    # Moto scrambles a SecureString that is read without decryption.
    ssm.put_parameter(Name=NAME + kind, Type=kind, Value=f"{OLD_ENTRY},{NEW_ENTRY}")
    source = AppConfig("x", keys_parameter=NAME + kind).key_source()
    assert source is not None
    assert source.keys.names == ("old", "new")


def test_no_parameter_and_an_empty_one_refuse_to_start(ssm: Any) -> None:
    with pytest.raises(SnapshipError, match="/nowhere") as caught:
        from_parameter("/nowhere")
    assert "\n" not in str(caught.value)
    ssm.put_parameter(Name="/empty", Type="String", Value=" , ")
    with pytest.raises(SnapshipError, match="SSM parameter /empty must contain at least one key"):
        from_parameter("/empty")


def test_the_function_starts_with_the_parameter_of_its_environment(ssm: Any, digits_bundle: Path) -> None:
    variables = {"SNAPSHIP_BUNDLE": str(digits_bundle), "SNAPSHIP_AUTH": "api-key"}
    variables["SNAPSHIP_API_KEYS_PARAMETER"] = "/start"
    with pytest.raises(SnapshipError, match="/start"):
        load_handler(variables)
    ssm.put_parameter(Name="/start", Type="String", Value=OLD_ENTRY)
    event = json.loads(EVENT.read_text(encoding="utf-8"))
    assert load_handler(variables)(event, None)["statusCode"] == 401


def test_the_handler_rotates_without_a_deploy(
    ssm: Any, digits_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ssm.put_parameter(Name=NAME, Type="SecureString", Value=OLD_ENTRY)
    now = [0.0]
    handler = Handler(create_app(digits_bundle, keys=from_parameter(NAME, lambda: now[0]), log="json"))
    image = (digits_bundle / "golden" / "0.png").read_bytes()

    def status(secret: str | None) -> int:
        event = json.loads(EVENT.read_text(encoding="utf-8"))
        event |= {"body": base64.b64encode(image).decode(), "isBase64Encoded": True}
        if secret is not None:
            event["headers"]["x-api-key"] = secret
        answer = handler(event, None)
        return int(answer["statusCode"])

    assert [status(secret) for secret in (None, "x", OLD, NEW)] == [401, 401, 200, 401]
    ssm.put_parameter(Name=NAME, Type="SecureString", Value=f"{OLD_ENTRY},{NEW_ENTRY}", Overwrite=True)
    assert status(NEW) == 401
    now[0] = REREAD_SECONDS
    assert [status(secret) for secret in (OLD, NEW)] == [200, 200]
    ssm.put_parameter(Name=NAME, Type="SecureString", Value=NEW_ENTRY, Overwrite=True)
    now[0] *= 2
    assert [status(secret) for secret in (OLD, NEW)] == [401, 200]
    # A parameter that is gone changes nothing.
    ssm.delete_parameter(Name=NAME)
    now[0] *= 2
    assert [status(secret) for secret in (OLD, NEW)] == [401, 200]
    assert NEW not in capsys.readouterr().out
