"""Calls a deployment, through Lambda's API or its URL, and reads its log.

The log has one JSON object per line, as written by serverless/app/core/telemetry.py.
"""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from edge_runtime.common.errors import ImageError, UsageError
from serverless.aws import Connection, CredentialsError, UnreachableError, answered
from serverless.deploy.config.errors import DeployError, LimitError
from serverless.deploy.manage.status import Endpoint, auth_of
from serverless.deploy.template.function import ALIAS_NAME

PAYLOAD_BYTES = 6 * 1024 * 1024
"""Maximum payload of a synchronous invocation (Lambda quotas); base64 makes an image a third larger."""

HTTP_TIMEOUT_S = 60

POLL_SECONDS = 2.0

OVERLAP_MS = 30_000
"""How far a later poll of the log goes back, as lines of several instances arrive out of order."""

_REMEMBERED = 20_000
"""How many ids of printed lines are remembered, so that none is printed twice."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def event_of(image: bytes, top_k: int | None) -> dict[str, Any]:
    """The event of a direct invocation.

    Args:
        image: An encoded image.
        top_k: Number of classes; None for the function's setting.
    """
    event: dict[str, Any] = {"image": base64.b64encode(image).decode()}
    return event if top_k is None else {**event, "top_k": top_k}


def invoke_api(found: Endpoint, aws: Connection, image: bytes, top_k: int | None) -> dict[str, Any]:
    """Calls the function through Lambda's API, with AWS credentials and without its URL.

    Args:
        found: The deployment.
        aws: The account and region.
        image: An encoded image.
        top_k: Number of classes; None for the function's setting.

    Returns:
        The answer, as from ``POST /classify``.

    Raises:
        LimitError: The image is too large for a call.
        ImageError: The function cannot use the image.
        DeployError: The function failed.
    """
    payload = json.dumps(event_of(image, top_k)).encode()
    if len(payload) > PAYLOAD_BYTES:
        raise LimitError(
            f"A call must have at most {PAYLOAD_BYTES:,} bytes. Received: {len(payload):,}, with the image in base64. "
            "Send a smaller image."
        )
    with answered(f"Calling {found.function}"):
        answer = aws.client("lambda").invoke(
            FunctionName=found.function, Qualifier=ALIAS_NAME, Payload=payload
        )
        body = answer["Payload"].read()
    content = _object(body, found.name)
    if answer.get("FunctionError"):
        raise DeployError(
            f"The function must answer. Received: {content.get('errorType', 'an error')}: "
            f"{content.get('errorMessage', body[:300].decode('utf-8', 'replace'))}. "
            f"Read the log: snapship logs {found.name}"
        )
    if isinstance(content.get("status"), int) and content["status"] >= 400:
        raise _problem(content["status"], content, found.name)
    return content


def invoke_http(
    found: Endpoint, aws: Connection, image: bytes, top_k: int | None, key: str | None
) -> dict[str, Any]:
    """Calls the function's URL as any client would: signed, with an API key, or plainly.

    Args:
        found: The deployment.
        aws: Whose credentials sign the request, if the URL requires it.
        image: An encoded image.
        top_k: Number of classes; None for the function's setting.
        key: The secret of an API key.

    Returns:
        The answer from ``POST /classify``.

    Raises:
        CredentialsError: The call is not allowed.
        ImageError: The function cannot use the image.
        UnreachableError: The URL does not answer.
        DeployError: The function failed.
    """
    if not found.url.startswith(("https://", "http://")):
        raise DeployError(
            f"The deployment must have a URL. Received: none of {found.name}. Complete it with snapship deploy."
        )
    url = f"{found.url.rstrip('/')}/classify"
    if top_k is not None:
        url += "?" + urlencode({"top_k": top_k})
    headers = {"content-type": "application/octet-stream", "accept": "application/json"}
    auth = auth_of(found, aws)
    if auth == "aws-iam":
        service = "execute-api" if ".execute-api." in url else "lambda"
        headers = aws.signed("POST", url, image, headers, service)
    elif auth == "api-key":
        if not key:
            raise UsageError(
                f"{found.name} requires an API key. Received: none. "
                "Set SNAPSHIP_API_KEY, or pass --key - and the key on stdin."
            )
        headers["x-api-key"] = key
    request = urllib.request.Request(url, data=image, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as response:
            return _object(response.read(), found.name)
    except urllib.error.HTTPError as error:
        body = error.read()
        try:
            content = json.loads(body)
        except ValueError:
            content = {"detail": body[:300].decode("utf-8", "replace")}
        raise _problem(error.code, content if isinstance(content, dict) else {}, found.name) from error
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UnreachableError(
            f"The URL must answer. Received: {url} ({reason}). Check the network, and: snapship status {found.name}"
        ) from error


def _object(body: bytes, name: str) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise DeployError(
            f"The answer must be a JSON object. Received: {body[:200].decode('utf-8', 'replace')!r}. "
            f"Read the log: snapship logs {name}"
        )
    return content


def _problem(status: int, content: dict[str, Any], name: str) -> Exception:
    said = next(filter(None, map(content.get, ("detail", "Message", "message", "title"))), "no reason")
    received = f"HTTP {status}: {str(said)[:500]}"
    if status in (401, 403):
        return CredentialsError(
            f"The call must be allowed. Received: {received.rstrip('.')}. Check the key, or the permissions "
            "lambda:InvokeFunctionUrl and lambda:InvokeFunction of your credentials."
        )
    if 400 <= status < 500:
        return ImageError(f"The image must be usable. Received: {received.rstrip('.')}. Send another one.")
    return DeployError(
        f"The function must answer. Received: {received.rstrip('.')}. Read the log: snapship logs {name}"
    )


def seconds_of(text: str) -> int:
    """Reads a duration, e.g. ``10m``.

    Args:
        text: A whole number and ``s``, ``m``, ``h`` or ``d``.

    Raises:
        UsageError: It has another form.
    """
    found = re.fullmatch(r"([0-9]{1,7})([smhd])", text, re.ASCII)
    if found is None:
        raise UsageError(
            f"A duration must have a form like 90s, 10m, 2h or 7d. Received: {text!r}. Pass e.g. --since 10m."
        )
    return int(found[1]) * _UNITS[found[2]]


def read(
    found: Endpoint,
    aws: Connection,
    since_s: int,
    echo: Callable[[str], None],
    *,
    follow: bool = False,
) -> int:
    """Prints the log, oldest line first.

    Args:
        found: The deployment.
        aws: The account and region.
        since_s: How many seconds to go back.
        echo: Called with each line.
        follow: Keep reading until Ctrl-C.

    Returns:
        The number of lines.
    """
    group = found.stack.outputs.get("LogGroup") or f"/aws/lambda/{found.function}"
    start = int((time.time() - since_s) * 1000)
    seen: OrderedDict[str, None] = OrderedDict()
    count = 0
    while True:
        newest = start
        with answered(f"Reading the log {group}"):
            pages = aws.client("logs").get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=group, startTime=start):
                for event in page["events"]:
                    newest = max(newest, int(event["timestamp"]))
                    if event["eventId"] not in seen:
                        seen[event["eventId"]] = None
                        echo(event["message"].rstrip("\n"))
                        count += 1
        if not follow:
            return count
        while len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        start = max(start, newest - OVERLAP_MS)
        time.sleep(POLL_SECONDS)
