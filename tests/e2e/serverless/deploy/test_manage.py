"""status, invoke, logs, rollback and destroy of what is deployed on a moto server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from serverless.deploy.manage.cli import destroy, invoke, logs, rollback, status

BUCKET = "snapship-code-123456789012-eu-central-1"

ANSWER = {"predictions": [{"index": 3, "label": "3", "score": 0.9}], "label": "3", "score": 0.9}


@pytest.fixture
def image(digits_bundle: Path) -> Path:
    return sorted((digits_bundle / "golden").glob("*.png"))[0]


def test_rollback_goes_to_the_version_before(cloud: Any) -> None:
    for code in ("one", "two", "three"):
        cloud.deploy(code)
    done = cloud.run(rollback, "flowers", "--json")
    assert done.code == 0, done.err
    assert (done.json["version"], done.json["left"]) == ("2", "3")
    assert cloud.alias() == ("2", {})
    assert cloud.run(rollback, "flowers").code == 0
    assert cloud.alias() == ("1", {})
    done = cloud.run(rollback, "flowers")
    assert done.code == 2
    assert "none before version 1" in done.err
    assert cloud.run(rollback, "flowers", "--to", "3").code == 0
    assert cloud.alias() == ("3", {})
    assert cloud.run(rollback, "flowers", "--to", "9").code == 2


def test_after_a_rollback_a_deployment_goes_on(cloud: Any) -> None:
    cloud.deploy("one")
    cloud.deploy("two")
    cloud.run(rollback, "flowers")
    done = cloud.deploy("two")
    assert done.code == 0, done.err
    assert cloud.alias() == ("2", {})
    cloud.run(rollback, "flowers")
    # The code of the version that is live now, packaged again: a version of its own.
    done = cloud.deploy("one")
    assert done.code == 0, done.err
    assert cloud.alias() == (done.json["version"], {})
    assert done.json["previous"] == "1"


def test_rollback_never_goes_to_a_version_that_failed(cloud: Any) -> None:
    cloud.deploy("one")
    cloud.deploy("two")
    cloud.deploy("bad", passed=False)
    assert cloud.versions() == ["1", "2", "3"]
    assert cloud.run(rollback, "flowers", "--json").json["version"] == "1"


def test_old_versions_are_tidied_up(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serverless.deploy.traffic.stage_templates.KEPT_VERSIONS", 2)
    monkeypatch.setattr("serverless.deploy.deploying.KEPT_VERSIONS", 2)
    for number in range(4):
        cloud.deploy(f"code-{number}")
    assert cloud.versions() == ["2", "3", "4"]
    found = cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="code/flowers/")
    assert found["KeyCount"] == 3


def test_status_tells_what_is_live(cloud: Any, function_url: str) -> None:
    assert "No deployments in" in cloud.run(status).out
    cloud.deploy("one")
    cloud.deploy("two")
    found = cloud.run(status, "flowers", "--json").json
    assert (found["live"], found["url"], found["auth"]) == ("2", function_url, "aws-iam")
    assert [(one["version"], one["share"], one["can_go_back"]) for one in found["versions"]] == [
        ("1", 0.0, True),
        ("2", 1.0, False),
    ]
    assert {alarm["state"] for alarm in found["alarms"]} == {"OK"}
    assert found["busy"] is None
    text = cloud.run(status, "flowers").out
    assert "Live: version 2, python3.12" in text
    assert [one["name"] for one in cloud.run(status, "--json").json] == ["flowers"]


@pytest.mark.parametrize("command", [status, logs, rollback, destroy])
def test_a_name_that_is_not_deployed(cloud: Any, command: Any) -> None:
    done = cloud.run(command, "nobody", *(["--yes"] if command is destroy else []))
    assert done.code == 2
    assert "nobody" in done.err
    assert "eu-central-1" in done.err


def test_invoke_through_the_api(cloud: Any, image: Path, tmp_path: Path) -> None:
    cloud.deploy("one")
    cloud.will_answer(ANSWER)
    done = cloud.run(invoke, "flowers", image)
    assert done.code == 0, done.err
    assert done.out == "  90.00%  3\n"
    # moto answers with what it was sent.
    sent = cloud.run(invoke, "flowers", image, "--json", "--top-k", "2").json
    assert set(sent) == {"image", "top_k"}
    cloud.will_answer({"status": 415, "title": "Unsupported", "detail": "It is no image."})
    done = cloud.run(invoke, "flowers", image)
    assert done.code == 2
    assert "It is no image" in done.err
    large = tmp_path / "large.jpg"
    large.write_bytes(b"x" * 5_000_000)
    done = cloud.run(invoke, "flowers", large)
    assert done.code == 2
    assert "6,291,456" in done.err
    assert cloud.run(invoke, "flowers", tmp_path / "gone.jpg").code == 2


class Endpoint(HTTPServer):
    """What a function URL would do: checks who asks, with AWS's own signing code, and answers."""

    status = 200
    seen: list[tuple[str, dict[str, str], bytes]]


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Endpoint)
        body = self.rfile.read(int(self.headers["content-length"]))
        server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        import json

        content = json.dumps(ANSWER if server.status == 200 else {"detail": "No."}).encode()
        self.send_response(server.status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def endpoint(function_url: str) -> Iterator[Endpoint]:
    server = Endpoint(("127.0.0.1", urlsplit(function_url).port or 0), _Answering)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_invoke_http_signs_the_request(
    cloud: Any, image: Path, endpoint: Endpoint, function_url: str
) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    cloud.deploy("one")
    done = cloud.run(invoke, "flowers", image, "--http", "--top-k", "2")
    assert done.code == 0, done.err
    assert done.out == "  90.00%  3\n"
    path, headers, body = endpoint.seen[0]
    assert path == "/classify?top_k=2"
    assert body == image.read_bytes()
    # The same signature comes out when AWS's library signs what arrived.
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    again = AWSRequest(
        "POST",
        function_url.rstrip("/") + path,
        {name: headers[name] for name in signed if name != "host"},
        body,
    )
    again.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials("test", "test"), "lambda", "eu-central-1")
    canonical = auth.canonical_request(again)
    signature = auth.signature(auth.string_to_sign(again, canonical), again)
    assert headers["authorization"].endswith(f"Signature={signature}")
    endpoint.status = 403
    assert cloud.run(invoke, "flowers", image, "--http").code == 4
    endpoint.status = 502
    assert cloud.run(invoke, "flowers", image, "--http").code == 2


def test_invoke_http_sends_the_key(
    cloud: Any, image: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = cloud.deploy("one", "--auth", "api-key").json["api_key"]
    done = cloud.run(invoke, "flowers", image, "--http")
    assert done.code == 2
    assert "SNAPSHIP_API_KEY" in done.err
    done = cloud.run(invoke, "flowers", image, "--http", "--key", "-", input=f"{secret}\n")
    assert done.code == 0, done.err
    monkeypatch.setenv("SNAPSHIP_API_KEY", secret)
    assert cloud.run(invoke, "flowers", image, "--http").code == 0
    for _, headers, _ in endpoint.seen:
        assert headers["x-api-key"] == secret
        assert "authorization" not in headers
    # Words of a command are for everybody on the machine to see.
    done = cloud.run(invoke, "flowers", image, "--http", "--key", secret)
    assert done.code == 2
    assert "list of processes" in done.err
    assert secret not in done.err
    assert len(endpoint.seen) == 2


def test_an_address_that_does_not_answer(cloud: Any, image: Path) -> None:
    cloud.deploy("one")
    assert cloud.run(invoke, "flowers", image, "--http").code == 4


def test_logs_prints_what_the_function_wrote(cloud: Any) -> None:
    cloud.deploy("one")
    client, now = cloud.client("logs"), int(time.time() * 1000)
    group = "/aws/lambda/snapship-flowers"
    client.create_log_stream(logGroupName=group, logStreamName="s")
    events = [
        {"timestamp": now - 3_600_000, "message": '{"status": 500}'},
        {"timestamp": now, "message": '{"status": 200, "label": "\x1b[31m"}\n'},
    ]
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert cloud.run(logs, "flowers").out == '{"status": 200, "label": "\\x1b[31m"}\n'
    assert len(cloud.run(logs, "flowers", "--since", "2h").out.splitlines()) == 2
    assert cloud.run(logs, "flowers", "--since", "soon").code == 2


def test_logs_follow_prints_each_line_once(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from serverless.aws import Connection
    from serverless.deploy.manage.invoking import read
    from serverless.deploy.manage.status import look_up

    monkeypatch.setattr("serverless.deploy.manage.invoking.POLL_SECONDS", 0.01)
    cloud.deploy("one")
    client, group = cloud.client("logs"), "/aws/lambda/snapship-flowers"
    client.create_log_stream(logGroupName=group, logStreamName="s")
    seen: list[str] = []

    def write() -> None:
        events = [{"timestamp": int(time.time() * 1000), "message": f"line {len(seen)}"}]
        client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    def echo(line: str) -> None:
        seen.append(line)
        if len(seen) == 3:
            raise KeyboardInterrupt
        write()

    write()
    aws = Connection()
    with pytest.raises(KeyboardInterrupt):
        read(look_up(aws, "flowers"), aws, 60, echo, follow=True)
    assert seen == ["line 0", "line 1", "line 2"]


def test_destroy_leaves_nothing(cloud: Any) -> None:
    for code in ("one", "two"):
        cloud.deploy(code, "--auth", "api-key", "--queue")
    done = cloud.run(destroy, "flowers", input="n\n")
    assert done.code == 2
    assert cloud.run(destroy, "flowers", input="").code == 2
    assert cloud.alias() == ("2", {})
    done = cloud.run(destroy, "flowers", "--yes")
    assert done.code == 0, done.err
    for what in ("snapship-flowers:1", "LogGroup", "s3://snapship-code", "/snapship/flowers/keys"):
        assert what in done.out
    assert cloud.stacks() == []
    assert cloud.client("lambda").list_functions()["Functions"] == []
    assert cloud.client("logs").describe_log_groups()["logGroups"] == []
    assert cloud.client("iam").list_roles()["Roles"] == []
    assert cloud.client("ssm").describe_parameters()["Parameters"] == []
    assert cloud.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert "QueueUrls" not in cloud.client("sqs").list_queues()
    assert cloud.client("s3").list_buckets()["Buckets"] == []
    assert cloud.run(destroy, "flowers", "--yes").code == 2


def test_destroy_leaves_what_is_anothers(cloud: Any) -> None:
    from serverless.deploy.deploy_cli import deploy

    cloud.deploy("one")
    cloud.will_answer({"passed": True})
    cloud.run(deploy, "--package", cloud.zipped("two"), "--name", "flowers-2")
    assert cloud.run(destroy, "flowers", "--yes").code == 0
    assert cloud.stacks() == ["snapship-flowers-2"]
    found = cloud.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [entry["Key"].split("/")[1] for entry in found] == ["flowers-2"]


def test_destroy_asks_before_it_deletes_images(cloud: Any) -> None:
    cloud.deploy("one", "--input-bucket", "pets-in")
    cloud.client("s3").put_object(Bucket="pets-in", Key="cat.jpg", Body=b"x")
    done = cloud.run(destroy, "flowers", "--yes")
    assert done.code == 2
    assert "pets-in holds 1 objects" in done.err
    assert cloud.alias() == ("1", {})
    assert cloud.run(destroy, "flowers", "--yes", "--delete-images").code == 0
    assert cloud.client("s3").list_buckets()["Buckets"] == []


def test_destroy_finds_what_a_failed_first_deployment_left_in_the_users_bucket(cloud: Any) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    done = cloud.deploy("one", "--bucket", "mine", passed=False)
    assert done.code == 1
    assert "snapship destroy flowers --bucket mine" in done.err.splitlines()[-1]
    done = cloud.run(destroy, "flowers", "--yes")
    assert done.code == 2
    assert "--bucket if its packages are in your own" in done.err
    done = cloud.run(destroy, "flowers", "--yes", "--bucket", "mine")
    assert done.code == 0, done.err
    assert "s3://mine/code/flowers/" in done.out
    assert s3.list_objects_v2(Bucket="mine")["KeyCount"] == 0
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["mine"]


def test_destroy_finds_an_input_bucket_that_another_took_the_place_of(cloud: Any) -> None:
    s3 = cloud.client("s3")
    place = {"LocationConstraint": "eu-central-1"}
    cloud.deploy("one", "--input-bucket", "pets-in")
    # As AWS leaves the one before, which moto does not: out of the stack, and with its tags.
    for name in ("pets-old", "pets-empty", "other"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    for name, owner in (("pets-old", "flowers"), ("pets-empty", "flowers"), ("other", "flowers-2")):
        tags = {"TagSet": [{"Key": "snapship:name", "Value": owner}]}
        s3.put_bucket_tagging(Bucket=name, Tagging=tags)
    s3.put_object(Bucket="pets-old", Key="cat.jpg", Body=b"x")
    done = cloud.run(destroy, "flowers", "--yes")
    assert done.code == 2
    assert "pets-old (of an earlier deployment)" in done.out
    assert "pets-old holds 1 objects" in done.err
    assert cloud.run(destroy, "flowers", "--yes", "--delete-images").code == 0
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["other"]


def test_a_bucket_of_the_users_own_is_used_and_kept(cloud: Any) -> None:
    done = cloud.deploy("one", "--bucket", "mine", passed=None)
    assert done.code == 2
    assert "mine, which does not exist" in done.err
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert cloud.deploy("one", "--bucket", "mine").code == 0
    assert cloud.deploy("two", "--bucket", "mine").code == 0
    assert cloud.run(rollback, "flowers").code == 0
    assert cloud.run(destroy, "flowers", "--yes").code == 0
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["mine"]
    assert s3.list_objects_v2(Bucket="mine")["KeyCount"] == 0
