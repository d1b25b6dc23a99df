"""After a rollout: deletes versions and packages that nobody can roll back to."""

from __future__ import annotations

from collections.abc import Sequence

from serverless.deploy import versions
from serverless.deploy.bucket import CodeBucket, code_key, code_prefix, delete, objects
from serverless.deploy.rollout import KEPT_VERSIONS
from serverless.deploy.work import Context


def delete_unused(context: Context, live: str, before: Sequence[str], bucket: CodeBucket) -> None:
    """Deletes versions that were never live, or long ago, and the packages that only they used.

    Args:
        context: The deployment.
        live: The live version.
        before: Versions that were live before, oldest first.
        bucket: The bucket with the packages.
    """
    aws, name, function = context.aws, context.deployment.name, context.deployment.stack
    kept = {live, *before[-KEPT_VERSIONS:]}
    found = versions.published(aws, function)
    for version in found:
        if version.number not in kept and versions.delete(aws, function, version.number):
            context.progress(f"Deleted version {version.number}, which is no longer needed")
    needed = {code_key(name, version.code_sha256) for version in found if version.number in kept}
    if needed:
        old = [entry for entry in objects(bucket, code_prefix(name)) if entry["Key"] not in needed]
        delete(bucket, old)
