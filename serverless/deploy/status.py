"""Deployment status: live version, rollback candidates, alarms."""

from __future__ import annotations

import msgspec

from serverless.aws import Connection
from serverless.deploy import alarms, handover, lock, rollout, stack, versions
from serverless.deploy.bucket import code_bucket, exists
from serverless.deploy.config import NAME_TAG
from serverless.deploy.locating import Endpoint, look_up


class VersionStatus(msgspec.Struct, frozen=True):
    """A published version.

    Attributes:
        version: Its number.
        share: Its share of the calls, 0 to 1.
        published: When, in ISO 8601.
        code_sha256: SHA-256 of its zip, in hex.
        can_go_back: Whether ``snapship rollback`` may choose it.
    """

    version: str
    share: float
    published: str
    code_sha256: str
    can_go_back: bool


class Status(msgspec.Struct, frozen=True):
    """The status of a deployment.

    Attributes:
        name: Its name.
        stack: Name of its stack.
        state: AWS's status of the stack, e.g. ``UPDATE_COMPLETE``.
        updated: When it last changed, in ISO 8601.
        url: Its URL.
        auth: Who may call: ``aws-iam``, ``api-key`` or ``none``.
        live: The version that gets most calls; None before the first deployment is complete.
        memory_mb: Memory of the live version.
        python: Runtime of the live version.
        arch: Architecture of the live version.
        versions: Published versions, oldest first.
        alarms: All alarms of the stack.
        busy: Who is deploying at the moment; None if nobody is.
    """

    name: str
    stack: str
    state: str
    updated: str
    url: str
    auth: str
    live: str | None
    memory_mb: int
    python: str
    arch: str
    versions: tuple[VersionStatus, ...]
    alarms: tuple[alarms.Alarm, ...]
    busy: str | None


class DeploymentSummary(msgspec.Struct, frozen=True):
    """A deployment of the account: its name, AWS's status, time of the last change, and URL."""

    name: str
    state: str
    updated: str
    url: str


def status(name: str, aws: Connection) -> Status:
    """Looks up the status of a deployment.

    Args:
        name: Its name.
        aws: The account and region.

    Raises:
        UsageError: The name is invalid.
        MissingResourceError: There is no such deployment.
    """
    found = look_up(aws, name)
    live = versions.traffic(aws, found.function)
    published = versions.published(aws, found.function)
    before = set(rollout.history_of(found.template))
    serving = next(
        (version for version in published if live is not None and version.number == live.version), None
    )
    names = [
        entry.physical_id
        for entry in stack.resources(aws, found.stack.name).values()
        if entry.type == "AWS::CloudWatch::Alarm"
    ]
    locks = code_bucket(aws)
    holder = lock.holder_of(locks, name) if exists(locks) else None
    return Status(
        name=name,
        stack=found.stack.name,
        state=found.stack.status,
        updated=found.stack.updated,
        url=found.url,
        auth=auth_of(found, aws),
        live=live.version if live is not None else None,
        memory_mb=serving.memory_mb if serving is not None else 0,
        python=serving.python if serving is not None else "",
        arch=serving.arch if serving is not None else "",
        versions=tuple(
            VersionStatus(
                version=version.number,
                share=_share(live, version.number),
                published=version.published,
                code_sha256=version.code_sha256,
                can_go_back=version.number in before,
            )
            for version in published
        ),
        alarms=alarms.states(aws, names),
        busy=f"{holder.doing} by {holder.user} on {holder.host}" if holder is not None else None,
    )


def deployments(aws: Connection) -> tuple[DeploymentSummary, ...]:
    """Every deployment of the account and region, by name."""
    found = [
        DeploymentSummary(one.tags[NAME_TAG], one.status, one.updated, one.outputs.get("Url", ""))
        for one in stack.stacks(aws)
        if one.tags.get(NAME_TAG) and not one.empty
    ]
    return tuple(sorted(found, key=lambda summary: summary.name))


def auth_of(found: Endpoint, aws: Connection) -> str:
    """Who may call a deployment, as its URL says, or else the live version.

    Args:
        found: The deployment.
        aws: The account and region.
    """
    if handover.requires_signature(found.template):
        return "aws-iam"
    return "api-key" if versions.checks_keys(aws, found.function) else "none"


def _share(live: versions.Traffic | None, number: str) -> float:
    if live is None:
        return 0.0
    if number == live.version:
        return 1.0 - sum(live.others.values())
    return live.others.get(number, 0.0)
