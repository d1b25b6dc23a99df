"""Deployments that are killed, that meet each other, and that AWS does not let in."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serverless.aws import Connection
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.deploying import deploy as run
from serverless.deploy.stack.lock import EXPIRES_S, Holder

ROOT = Path(__file__).resolve().parents[4]

BUCKET = "snapship-code-123456789012-eu-central-1"

KILLED = """
import os, signal, sys
from pathlib import Path
from serverless.aws import Connection
from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.config.deployment_config import DeployConfig
from serverless.deploy.deploying import deploy

def say(line):
    if line.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

config = DeployConfig(Deployment("flowers"), package=Path(sys.argv[1]), canary=0.1, canary_minutes=0)
deploy(config, Connection(), say)
"""


def killed_at(cloud: Any, code: str, line: str) -> None:
    """Runs a deployment in a process that is killed when it says so."""
    cloud.will_answer({"passed": True})
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(cloud.zipped(code)), line],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr.decode()


def ask_for_permissions(cloud: Any, after: str) -> None:
    """From so many requests on, moto looks at who asks and what they may do."""
    headers = {"content-type": "text/plain"}
    request = urllib.request.Request(
        f"{cloud.url}/moto-api/reset-auth", after.encode(), headers, method="POST"
    )
    urllib.request.urlopen(request).close()


def hold(cloud: Any, **changes: Any) -> None:
    """Writes a lock as another process would."""
    now = time.time()
    holder = Holder("x", "ada", "elsewhere", 1, "snapship deploy", now, now + EXPIRES_S)
    body = msgspec.json.encode(msgspec.structs.replace(holder, **changes))
    cloud.client("s3").put_object(Bucket=BUCKET, Key="locks/flowers.json", Body=body)


@pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
@pytest.mark.parametrize("line", ["Creating the function", "Testing", "Opening"])
def test_first_deployment_killed_is_ended_by_the_next(cloud: Any, line: str) -> None:
    killed_at(cloud, "one", line)
    done = cloud.deploy("one")
    assert done.code == 0, done.err
    assert cloud.alias() == ("1", {})
    assert cloud.deploy("one", passed=None).json["status"] == "unchanged"


@pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
@pytest.mark.parametrize("line", ["Publishing", "Testing", "Watching", "Sending all"])
def test_deployment_killed_leaves_the_old_version_and_the_next_goes_on(cloud: Any, line: str) -> None:
    cloud.deploy("one")
    killed_at(cloud, "two", line)
    assert cloud.alias()[0] == "1"
    done = cloud.deploy("two")
    assert done.code == 0, done.err
    assert cloud.alias() == ("2", {})
    assert done.json["previous"] == "1"
    assert cloud.versions() == ["1", "2"]


def test_the_second_of_two_is_told_who_is_first(cloud: Any) -> None:
    cloud.deploy("one")
    inside, outside = threading.Event(), threading.Event()

    def say(line: str) -> None:
        if line.startswith("Publishing"):
            inside.set()
            outside.wait(30)

    cloud.will_answer({"passed": True})
    config = DeployConfig(Deployment("flowers"), package=cloud.zipped("two"))
    first = threading.Thread(target=run, args=(config, Connection(), say))
    first.start()
    try:
        assert inside.wait(30)
        done = cloud.deploy("three", passed=None)
        assert done.code == 2
        assert "snapship deploy by" in done.err
        assert socket.gethostname() in done.err
        assert str(os.getpid()) in done.err
    finally:
        outside.set()
        first.join()
    assert cloud.alias() == ("2", {})
    assert cloud.deploy("three").code == 0


def test_one_lock_for_all_code_buckets(cloud: Any) -> None:
    from serverless.deploy.manage.cli import destroy, rollback, status

    s3 = cloud.client("s3")
    for name in ("mine", "yours"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert cloud.deploy("one", "--bucket", "mine").code == 0
    assert cloud.deploy("two", "--bucket", "mine").code == 0
    hold(cloud)
    commands = [
        cloud.deploy("three", "--bucket", "yours", passed=None),
        cloud.deploy("three", passed=None),
        cloud.run(rollback, "flowers"),
        cloud.run(destroy, "flowers", "--yes"),
    ]
    for done in commands:
        assert done.code == 2
        assert "ada on elsewhere" in done.err
    assert cloud.run(status, "flowers", "--json").json["busy"] == "snapship deploy by ada on elsewhere"
    assert cloud.alias() == ("2", {})


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_lock_of_a_container_of_the_same_name_holds(cloud: Any) -> None:
    """Its process's number says nothing here: the host is called the same, and is another."""
    from serverless.deploy.stack import lock

    cloud.deploy("one")
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    gone, here = int(ended.stdout), {"host": socket.gethostname(), "place": lock.machine()}
    for other in (
        {**here, "pid": gone, "started": "1", "place": "another boot pid:[1]"},
        {**here, "pid": gone, "started": "1", "place": ""},
        {**here, "pid": gone, "started": ""},
        {**here, "pid": os.getpid(), "started": lock.process_started(os.getpid())},
    ):
        hold(cloud, **other)
        assert cloud.deploy("two", passed=None).code == 2, other
    # The number was given again, to this very process.
    hold(cloud, **{**here, "pid": os.getpid(), "started": "1"})
    assert cloud.deploy("two").code == 0
    hold(cloud, **{**here, "pid": gone, "started": "1"})
    assert cloud.deploy("three").code == 0


def test_a_lock_of_another_machine_holds_until_it_expires(cloud: Any) -> None:
    cloud.deploy("one")
    hold(cloud)
    done = cloud.deploy("two", passed=None)
    assert done.code == 2
    assert "ada on elsewhere" in done.err
    hold(cloud, until=time.time() - 1)
    assert cloud.deploy("two").code == 0
    assert "Contents" not in cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="locks/")


def test_a_lock_that_was_taken_over_stops_the_one_who_had_it(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.deploy("one")
    monkeypatch.setattr("serverless.deploy.stack.lock.RENEW_S", 0.05)

    def say(line: str) -> None:
        if line.startswith("Uploading"):
            hold(cloud)
            end = time.monotonic() + 20
            # The renewing thread ends when it notices.
            while any(one.name == "snapship-lock" for one in threading.enumerate()):
                assert time.monotonic() < end
                time.sleep(0.01)

    config = DeployConfig(Deployment("flowers"), package=cloud.zipped("two"))
    with pytest.raises(Exception, match="taken it over"):
        run(config, Connection(), say)
    assert cloud.alias() == ("1", {})
    # What the other one holds is left alone.
    assert cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="locks/")["KeyCount"] == 1


def test_no_credentials_is_one_line_and_exit_code_4(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    done = cloud.deploy("one", passed=None)
    assert done.code == 4
    assert "needs AWS credentials" in done.err
    assert "aws configure" in done.err.splitlines()[-1]


def test_an_endpoint_that_does_not_answer_is_exit_code_4(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    package = cloud.zipped("one")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    from serverless.deploy.deploy_cli import deploy

    done = cloud.run(deploy, "--package", package, "--name", "flowers")
    assert done.code == 4
    assert "AWS_ENDPOINT_URL" in done.err.splitlines()[-1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    assert cloud.run(deploy, "--package", package, "--name", "flowers").code == 2


@pytest.mark.parametrize("words", [("--region", "eu central"), ("--profile", "nobody")])
def test_no_such_region_or_profile(cloud: Any, words: tuple[str, ...]) -> None:
    done = cloud.deploy("one", *words, passed=None)
    assert done.code == 2
    assert "--profile and --region" in done.err.splitlines()[-1]


def become(cloud: Any, monkeypatch: pytest.MonkeyPatch, *actions: str) -> None:
    """From now on a user who may do no more than that."""
    iam = cloud.client("iam")
    iam.create_user(UserName="ada")
    allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="ada", PolicyName="some", PolicyDocument=policy)
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])


def test_a_missing_permission_is_named(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    become(cloud, monkeypatch, "sts:*", "s3:*")
    package = cloud.zipped("one")
    ask_for_permissions(cloud, "0")
    try:
        from serverless.deploy.deploy_cli import deploy

        done = cloud.run(deploy, "--package", package, "--name", "flowers")
        assert done.code == 4
        assert "the permission cloudformation:DescribeStacks" in done.err.splitlines()[-1]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
        done = cloud.run(deploy, "--package", package, "--name", "flowers")
        assert done.code == 4
        assert "valid AWS credentials" in done.err.splitlines()[-1]
    finally:
        ask_for_permissions(cloud, "inf")


def test_destroy_needs_no_permission_to_look_for_tags(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from serverless.deploy.manage.cli import destroy

    # A first deployment that failed: no stack, but a package.
    assert cloud.deploy("one", passed=False).code == 1
    become(cloud, monkeypatch, "sts:*", "s3:*", "cloudformation:*", "ssm:*")
    ask_for_permissions(cloud, "0")
    try:
        done = cloud.run(destroy, "flowers", "--yes")
    finally:
        ask_for_permissions(cloud, "inf")
    assert done.code == 0, done.err
    assert "the permission tag:GetResources is missing" in done.out


@pytest.mark.parametrize("name", ["Flowers", "a b", "../x", "a" * 56, "", "flowers;rm", "-x"])
def test_a_name_that_is_none(cloud: Any, name: str) -> None:
    from serverless.deploy.deploy_cli import deploy
    from serverless.deploy.manage.cli import destroy, status

    done = cloud.run(deploy, "--package", cloud.zipped("one"), f"--name={name}")
    assert done.code == 2
    assert "lower-case letters" in done.err
    if not name.startswith("-"):
        assert cloud.run(status, name).code == 2
        assert cloud.run(destroy, name, "--yes").code == 2
    assert cloud.client("s3").list_buckets()["Buckets"] == []


def test_a_bucket_that_was_left_open_half_way_is_protected(cloud: Any) -> None:
    place = {"LocationConstraint": "eu-central-1"}
    cloud.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    assert cloud.deploy("one").code == 0
    assert cloud.client("s3").get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert cloud.client("s3").get_public_access_block(Bucket=BUCKET)


def test_a_package_that_does_not_fit_is_told_before_anything_happens(
    cloud: Any, tmp_path: Path, digits_bundle: Path
) -> None:
    from serverless.deploy.deploy_cli import deploy

    other = cloud.zipped("arm", arch="arm64")
    done = cloud.run(deploy, "--package", other, "--name", "flowers")
    assert done.code == 2
    assert "--arch arm64 --python 3.12" in done.err
    done = cloud.run(deploy, digits_bundle, "--package", cloud.zipped("one"), "--name", "flowers")
    assert done.code == 2
    assert "made from the BUNDLE" in done.err
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"no zip")
    assert cloud.run(deploy, "--package", broken, "--name", "flowers").code == 2
    assert cloud.run(deploy, "--package", tmp_path / "gone.zip", "--name", "flowers").code == 2
    assert cloud.run(deploy, "--name", "flowers").code == 2
    assert cloud.client("s3").list_buckets()["Buckets"] == []
