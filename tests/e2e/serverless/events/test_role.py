"""The function's role against what the function asks of AWS: all of it is allowed, and no more.

A proxy before moto's server notes every request. What it cannot see: Lambda's own logging and
polling, the key that SSM decrypts with, and that S3 needs ListBucket to say that a key is gone.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from serverless.app.core.keys import new_key
from serverless.app.entry import Handler
from serverless.app.events import s3_objects
from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.template import Code, template

UNSEEN = {
    "logs:CreateLogStream", "logs:PutLogEvents", "kms:Decrypt", "s3:ListBucket",
    "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage",
}  # fmt: skip

PLACE = {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012"}
CONTEXT = SimpleNamespace(aws_request_id="aws-1")

Call = tuple[str, str]


@pytest.fixture
def calls(moto: str, aws: None, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Call]]:
    """Action and ARN of every request from now on."""
    noted: list[Call] = []

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            noted.append(meaning(self.command, self.path, self.headers.get("X-Amz-Target"), body))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            request = urllib.request.Request(moto + self.path, body or None, headers, method=self.command)
            try:
                with urllib.request.urlopen(request) as answer:
                    status, told, content = answer.status, answer.headers, answer.read()
            except urllib.error.HTTPError as error:
                status, told, content = error.code, error.headers, error.read()
            self.send_response(status)
            for name, value in told.items():
                if name.lower() not in (
                    "content-length",
                    "connection",
                    "transfer-encoding",
                    "date",
                    "server",
                ):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        s3_objects.s3.cache_clear()
        yield noted
        server.shutdown()


def meaning(method: str, path: str, target: str | None, body: bytes) -> Call:
    """What IAM would be asked: an action, on an ARN."""
    if target is not None:
        service, _, name = target.partition(".")
        assert service == "AmazonSSM"
        parameter = json.loads(body)["Name"].lstrip("/")
        return f"ssm:{name}", f"arn:aws:ssm:eu-central-1:123456789012:parameter/{parameter}"
    parts = urlsplit(path)
    verbs = {"GET": "Get", "PUT": "Put", "HEAD": "Get", "DELETE": "Delete"}
    version = "Version" if "versionId=" in parts.query else ""
    return f"s3:{verbs[method]}Object{version}", f"arn:aws:s3:::{unquote(parts.path).lstrip('/')}"


def granted(deployment: Deployment) -> list[tuple[str, str]]:
    """Pairs of action and pattern of ARNs."""
    role = template(deployment, Code(None, None, "ab" * 32))["Resources"]["Role"]["Properties"]
    pairs = []
    for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
        resource = statement["Resource"].get("Fn::Sub", "")
        for name, value in PLACE.items():
            resource = resource.replace(f"${{{name}}}", value)
        pairs += [(action, resource) for action in statement["Action"]]
    return pairs


def judge(deployment: Deployment, calls: list[Call]) -> None:
    pairs = granted(deployment)
    assert calls
    for action, arn in calls:
        assert any(action == allowed and fnmatchcase(arn, pattern) for allowed, pattern in pairs), (
            action,
            arn,
        )
    assert {action for action, _ in pairs} - UNSEEN == {action for action, _ in calls}


@pytest.mark.parametrize("results", [None, "s3://results/", "s3://results/of/pets/"])
def test_role_is_what_an_image_in_a_bucket_takes(
    results: str | None, calls: list[Call], s3: Any, function: Callable[..., Handler],
    put_event: Callable[..., dict[str, Any]], pictures: list[bytes],
) -> None:  # fmt: skip
    deployment = Deployment("pets", input_bucket="pets", results=results)
    s3.put_object(Bucket="pets", Key="in/a.png", Body=pictures[1])
    assert function(**deployment.variables())(put_event("in/a.png"), CONTEXT) == {"written": 1}
    judge(deployment, calls)


def test_role_reads_versions_of_a_bucket_that_may_keep_them(
    calls: list[Call], s3: Any, function: Callable[..., Handler], pictures: list[bytes]
) -> None:
    deployment = Deployment("pets", input_bucket="pets", bucket_exists=True)
    s3.put_bucket_versioning(Bucket="pets", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="pets", Key="a.png", Body=pictures[1])["VersionId"]
    handler = function(**deployment.variables())
    detail = {"bucket": {"name": "pets"}, "object": {"key": "a.png", "version-id": version}}
    event = {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}
    assert handler(event, CONTEXT) == {"written": 1}
    # Events of a bucket without versions name none.
    del detail["object"]["version-id"]
    assert handler(event, CONTEXT) == {"written": 1}
    judge(deployment, calls)


def test_role_is_what_a_message_with_an_image_takes(
    calls: list[Call], function: Callable[..., Handler], pictures: list[bytes]
) -> None:
    deployment = Deployment("pets", queue=True, results="s3://results/of/")
    body = json.dumps({"image": base64.b64encode(pictures[2]).decode()})
    record = {
        "messageId": "m-1",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:x:1:q",
        "body": body,
    }
    variables = {**deployment.variables(), "SNAPSHIP_S3_BUCKETS": ""}
    assert function(**variables)({"Records": [record]}, CONTEXT) == {"batchItemFailures": []}
    judge(deployment, calls)


def test_role_is_what_reading_the_keys_takes(calls: list[Call], function: Callable[..., Handler]) -> None:
    import boto3

    deployment = Deployment("pets", auth="api-key", keys_parameter="/snapship/pets/keys")
    boto3.client("ssm").put_parameter(
        Name="/snapship/pets/keys", Type="SecureString", Value=new_key("first")[1]
    )
    calls.clear()
    function(**{**deployment.variables(), "SNAPSHIP_S3_BUCKETS": ""})
    judge(deployment, calls)
