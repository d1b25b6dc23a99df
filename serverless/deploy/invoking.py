"""Asks a deployment what an image shows: through AWS's own API, or through its address."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from edge_runtime.errors import ImageError, UsageError
from serverless.aws import Connection, CredentialsError, UnreachableError, answered
from serverless.deploy.errors import DeployError, LimitError
from serverless.deploy.locating import Located
from serverless.deploy.status import auth_of
from serverless.deploy.template.function import ALIAS_NAME

PAYLOAD_BYTES = 6 * 1024 * 1024
"""Largest payload of a synchronous invocation (Lambda quotas); base64 adds a third to an image."""

HTTP_TIMEOUT_S = 60


def event_of(image: bytes, top_k: int | None) -> dict[str, Any]:
    """What a direct invocation sends.

    Args:
        image: An encoded image.
        top_k: How many classes; None for what the function is set to.
    """
    event: dict[str, Any] = {"image": base64.b64encode(image).decode()}
    return event if top_k is None else {**event, "top_k": top_k}


def invoke(found: Located, aws: Connection, image: bytes, top_k: int | None = None) -> dict[str, Any]:
    """Calls the function through Lambda's API, with AWS credentials and past the address.

    Args:
        found: The deployment.
        aws: Where.
        image: An encoded image.
        top_k: How many classes; None for what the function is set to.

    Returns:
        The answer, as of ``POST /classify``.

    Raises:
        LimitError: The image is too large for a call.
        ImageError: The function cannot use the image.
        DeployError: The function failed.
    """
    payload = json.dumps(event_of(image, top_k)).encode()
    if len(payload) > PAYLOAD_BYTES:
        raise LimitError(
            f"A call must have at most {PAYLOAD_BYTES:,} bytes. Received: {len(payload):,} with the image in base64. "
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
            f"A function must answer. Received: {content.get('errorType', 'an error')}: "
            f"{content.get('errorMessage', body[:300].decode('utf-8', 'replace'))}. "
            f"Read the log: snapship logs {found.name}"
        )
    if isinstance(content.get("status"), int) and content["status"] >= 400:
        raise _problem(content["status"], content, found.name)
    return content


def invoke_http(
    found: Located, aws: Connection, image: bytes, top_k: int | None = None, key: str | None = None
) -> dict[str, Any]:
    """Calls the function's address as any client would: signed, with a key, or plainly.

    Args:
        found: The deployment.
        aws: Whose credentials sign, where the address asks for that.
        image: An encoded image.
        top_k: How many classes; None for what the function is set to.
        key: The secret of an API key.

    Returns:
        The answer of ``POST /classify``.

    Raises:
        CredentialsError: It is not allowed.
        ImageError: The function cannot use the image.
        UnreachableError: The address does not answer.
        DeployError: The function failed.
    """
    if not found.url.startswith(("https://", "http://")):
        raise DeployError(
            f"A deployment must have an address. Received: none of {found.name}. Deploy again, to its end."
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
                f"{found.name} needs an API key. Received: none. "
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
            f"The address must answer. Received: {url} ({reason}). Check the network, and: snapship status {found.name}"
        ) from error


def _object(body: bytes, name: str) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise DeployError(
            f"An answer must be a JSON object. Received: {body[:200].decode('utf-8', 'replace')!r}. "
            f"Read the log: snapship logs {name}"
        )
    return content


def _problem(status: int, content: dict[str, Any], name: str) -> Exception:
    said = str(
        content.get("detail")
        or content.get("Message")
        or content.get("message")
        or content.get("title")
        or ""
    )
    received = f"HTTP {status}: {said[:500] or 'no reason'}"
    if status in (401, 403):
        return CredentialsError(
            f"A call must be allowed. Received: {received.rstrip('.')}. Check the key, or the credentials' permission "
            "lambda:InvokeFunctionUrl (and lambda:InvokeFunction)."
        )
    if 400 <= status < 500:
        return ImageError(f"An image must be usable. Received: {received.rstrip('.')}. Send another.")
    return DeployError(
        f"A function must answer. Received: {received.rstrip('.')}. Read the log: snapship logs {name}"
    )
