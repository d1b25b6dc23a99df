"""After a rollout: deletes versions and packages that nobody can roll back to."""

from __future__ import annotations

from collections.abc import Sequence

from serverless.aws import Connection
from serverless.deploy import versions
from serverless.deploy.bucket import CodeBucket, code_key, code_prefix, delete, objects
from serverless.deploy.config import Deployment
from serverless.deploy.rollout import KEPT_VERSIONS
from serverless.deploy.stack import Progress


def delete_unused(
    aws: Connection,
    deployment: Deployment,
    live: str,
    before: Sequence[str],
    bucket: CodeBucket,
    progress: Progress,
) -> None:
    """Deletes versions that were never live, or long ago, and the packages that only they used.

    Args:
        aws: The account and region.
        deployment: The deployment.
        live: The live version.
        before: Versions that were live before, oldest first.
        bucket: The bucket with the packages.
        progress: Progress callback.
    """
    kept = {live, *before[-KEPT_VERSIONS:]}
    found = versions.published(aws, deployment.stack)
    for version in found:
        if version.number not in kept and versions.delete(aws, deployment.stack, version.number):
            progress(f"Deleted version {version.number}, which is no longer needed")
    needed = {code_key(deployment.name, version.code_sha256) for version in found if version.number in kept}
    if needed:
        prefix = code_prefix(deployment.name)
        delete(bucket, [entry for entry in objects(bucket, prefix) if entry["Key"] not in needed])
