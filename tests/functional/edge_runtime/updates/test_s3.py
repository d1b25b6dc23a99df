"""Downloads by boto3 from a moto server, which is an environment of ``make acceptance``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import EnvironmentMissingError, UsageError
from edge_runtime.updates import pull

boto3 = pytest.importorskip("boto3")

MakeBundle = Callable[[str], Path]

START_SECONDS = 30


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A server that answers as S3 does; everything reaches boto3 by AWS's own variables."""
    folder = Path(sys.prefix) / "acceptance" / "moto"
    if not (folder / ".ready").is_file():
        log = folder / "log.txt"
        lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
        pytest.skip(f"needs moto of make acceptance: {(lines or ['not installed'])[-1]}")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    process = subprocess.Popen(
        [folder / "bin" / "python", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "moto ended"
            assert time.monotonic() < end, "moto did not start"
            time.sleep(0.05)
        yield settings["AWS_ENDPOINT_URL_S3"]
    finally:
        process.kill()
        process.wait()


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
    seen: list[tuple[int, int]] = []
    done = pull("s3://ships/flowers/one.zip", home, watch=lambda *said: seen.append(said))
    assert (done.status, done.name) == ("installed", "one")
    assert seen[-1] == (archive.stat().st_size,) * 2
    with pytest.raises(UsageError, match="NoSuchKey"):
        pull("s3://ships/none.zip", home)
    with pytest.raises(UsageError, match="at most 1,000 bytes"):
        pull("s3://ships/flowers/one.zip", home, max_bytes=1000)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(EnvironmentMissingError, match="needs AWS credentials"):
        pull("s3://ships/flowers/one.zip", home)
