"""The result of a deployment, and how to call it."""

from __future__ import annotations

from typing import Literal

import msgspec

from serverless.deploy.config import Deployment


class DeployResult(msgspec.Struct, frozen=True):
    """The result of a deployment.

    Attributes:
        name: The deployment's name.
        status: ``created``, ``updated`` or ``unchanged``.
        url: The endpoint's URL, with a trailing slash.
        version: The live version.
        previous: The version that was live before; None after the first deployment.
        region: The AWS region.
        account: The AWS account.
        auth: Who may call.
        curl: A command that classifies a photo.
        api_key: The secret of a key that was created; shown only this once.
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


def curl_command(url: str, deployment: Deployment, region: str) -> str:
    """A command that classifies a photo.

    Args:
        url: The endpoint's URL.
        deployment: The deployment, which says who may call.
        region: The AWS region.
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
