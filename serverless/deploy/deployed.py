"""What a deployment came to, and how to call it."""

from __future__ import annotations

from typing import Literal

import msgspec

from serverless.deploy.config import Deployment


class Deployed(msgspec.Struct, frozen=True):
    """What a deployment came to.

    Attributes:
        name: The deployment's.
        status: ``created``, ``updated`` or ``unchanged``.
        url: The endpoint's address, with a slash at its end.
        version: The version that is live.
        previous: The one before; None after the first.
        region: Where.
        account: Whose.
        auth: Who may call.
        curl: A command that classifies a photo.
        api_key: The secret of the key that was made; shown this once.
    """

    name: str
    status: Literal["created", "updated", "unchanged"]
    url: str
    version: str
    previous: str | None
    region: str
    account: str
    auth: str
    curl: str
    api_key: str | None = None


def curl_line(url: str, deployment: Deployment, region: str) -> str:
    """A command that classifies a photo.

    Args:
        url: The endpoint's address.
        deployment: Who may call.
        region: Where it is.
    """
    parts = ["curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg'"]
    if deployment.auth == "aws-iam":
        service = "lambda" if deployment.front == "url" else "execute-api"
        parts += [
            f"--aws-sigv4 aws:amz:{region}:{service}",
            '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
            '-H "x-amz-security-token: $AWS_SESSION_TOKEN"',
        ]
    elif deployment.auth == "api-key":
        parts.append('-H "x-api-key: $SNAPSHIP_API_KEY"')
    return " ".join([*parts, f"{url.rstrip('/')}/classify"])
