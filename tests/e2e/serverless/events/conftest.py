"""A moto server, which is S3 and SQS over real HTTP, and a function that finds it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from serverless.app.entry import Handler, load_handler
from serverless.app.events import s3_objects

EVENTS = Path(__file__).parents[3] / "functional" / "serverless" / "events"


@pytest.fixture(scope="package")
def moto(moto_server: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """Its URL."""
    with moto_server() as url:
        yield url


@pytest.fixture(autouse=True)
def aws(moto: str, use_aws_at: Callable[[str], None]) -> Iterator[None]:
    """An account that is empty before each test."""
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    use_aws_at(moto)
    s3_objects.s3.cache_clear()
    yield
    s3_objects.s3.cache_clear()


@pytest.fixture
def s3(aws: None) -> Any:
    """A client of the test's own, with the buckets ``pets`` and ``results``."""
    boto3 = pytest.importorskip("boto3", reason="needs boto3, which is not installed")
    client = boto3.client("s3")
    for bucket in ("pets", "results"):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return client


@pytest.fixture
def read(s3: Any) -> Callable[[str, str], Any]:
    """Reads a result."""

    def result(bucket: str, key: str) -> Any:
        found = s3.get_object(Bucket=bucket, Key=key)
        assert found["ContentType"] == "application/json"
        return json.loads(found["Body"].read())

    return result


@pytest.fixture
def function(digits_bundle: Path, s3: Any) -> Callable[..., Handler]:
    """Loads the function with variables of its own."""

    def load(**variables: str) -> Handler:
        return load_handler(
            {
                "SNAPSHIP_BUNDLE": str(digits_bundle),
                "SNAPSHIP_ARTIFACT": "tflite-fp32",
                "SNAPSHIP_S3_BUCKETS": "pets",
                **variables,
            }
        )

    return load


@pytest.fixture(scope="package")
def pictures(digits_bundle: Path) -> list[bytes]:
    """Of the digits 0 to 5."""
    return [file.read_bytes() for file in sorted((digits_bundle / "golden").glob("*.png"))]


@pytest.fixture(scope="package")
def put_event() -> Callable[..., dict[str, Any]]:
    """S3's notification of a new object, after that of ``sam local generate-event s3 put``."""

    def event(key: str, bucket: str = "pets", **told: Any) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((EVENTS / "sam" / "s3_put.json").read_text(encoding="utf-8"))
        s3 = content["Records"][0]["s3"]
        s3["bucket"]["name"] = bucket
        del s3["object"]["size"]
        s3["object"] |= {"key": key, **told}
        return content

    return event


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """The lines that were logged since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
