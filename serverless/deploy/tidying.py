"""After a roll-out: versions and packages that nobody will go back to."""

from __future__ import annotations

from collections.abc import Sequence

from serverless.aws import Connection
from serverless.deploy import versions
from serverless.deploy.bucket import CodeBucket, code_key, delete, objects
from serverless.deploy.config import Deployment
from serverless.deploy.rollout import KEPT
from serverless.deploy.stack import Say


def tidy(
    aws: Connection, deployment: Deployment, live: str, before: Sequence[str], bucket: CodeBucket, say: Say
) -> None:
    """Deletes versions that were never live, or long ago, and the packages that only they had.

    Args:
        aws: Where.
        deployment: Whose.
        live: The version that is live.
        before: Those that were, oldest first.
        bucket: Where the packages are.
        say: Told what was deleted.
    """
    kept = {live, *before[-KEPT:]}
    found = versions.published(aws, deployment.stack)
    for version in found:
        if version.number not in kept and versions.delete(aws, deployment.stack, version.number):
            say(f"Deleted version {version.number}, which nobody needs any more")
    needed = {code_key(deployment.name, version.code_sha256) for version in found if version.number in kept}
    if needed:
        old = [entry for entry in objects(bucket, f"code/{deployment.name}/") if entry["Key"] not in needed]
        delete(bucket, old)
