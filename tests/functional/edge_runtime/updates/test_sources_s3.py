"""Downloads by boto3 from a moto server, which is an environment of ``make acceptance``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.updates import pull

boto3 = pytest.importorskip("boto3")

MakeBundle = Callable[[str], Path]


@pytest.fixture
def endpoint(
    moto_server: Callable[..., AbstractContextManager[str]], use_aws_at: Callable[[str], None]
) -> Iterator[str]:
    """A server that answers as S3 does; everything reaches boto3 by AWS's own variables."""
    with moto_server() as url:
        use_aws_at(url)
        yield url


def test_s3_source_is_installed_and_its_errors_are_one_line(
    make_bundle: MakeBundle,
    zipped: Callable[[Path], Path],
    endpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive, home = zipped(make_bundle("one")), tmp_path / "models"
    client = boto3.client("s3")
    client.create_bucket(Bucket="ships", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.upload_file(str(archive), "ships", "flowers/one.zip")
    seen: list[tuple[str, int, int]] = []
    done = pull("s3://ships/flowers/one.zip", home, progress=lambda *said: seen.append(said))
    assert (done.status, done.name) == ("installed", "one")
    assert seen[-1] == ("Downloading", *(archive.stat().st_size,) * 2)
    with pytest.raises(UsageError, match="NoSuchKey"):
        pull("s3://ships/none.zip", home)
    with pytest.raises(UsageError, match="at most 1,000 bytes"):
        pull("s3://ships/flowers/one.zip", home, max_bytes=1000)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(EnvironmentMissingError, match="needs AWS credentials"):
        pull("s3://ships/flowers/one.zip", home)
