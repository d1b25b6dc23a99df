"""How a deployment is: what is live, what could be gone back to, what the alarms say."""

from __future__ import annotations

from typing import Any

import msgspec

from serverless.aws import Connection, answered
from serverless.deploy import alarms, handover, lock, rollout, stack, versions
from serverless.deploy.bucket import exists
from serverless.deploy.config import NAME_TAG
from serverless.deploy.locating import Located, locate


class VersionStatus(msgspec.Struct, frozen=True):
    """A published version.

    Attributes:
        version: Its number.
        share: Of the calls, 0 to 1.
        published: When, in ISO 8601.
        code_sha256: Of its zip, in hex.
        can_go_back: Whether ``snapship rollback`` may come to it.
    """

    version: str
    share: float
    published: str
    code_sha256: str
    can_go_back: bool


class AlarmStatus(msgspec.Struct, frozen=True):
    """An alarm: its name, ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``, and why."""

    name: str
    state: str
    reason: str


class Status(msgspec.Struct, frozen=True):
    """How a deployment is.

    Attributes:
        name: Its name.
        stack: Name of its stack.
        state: As AWS calls it, such as ``UPDATE_COMPLETE``.
        updated: When it last changed, in ISO 8601.
        url: Its address.
        auth: Who may call: ``aws-iam``, ``api-key`` or ``none``.
        live: The version that gets most calls; None before a first deployment has ended.
        memory_mb: Of the version that is live.
        python: Likewise.
        arch: Likewise.
        versions: Oldest first.
        alarms: All of the stack.
        busy: Who is deploying right now.
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
    alarms: tuple[AlarmStatus, ...]
    busy: str | None


class Listed(msgspec.Struct, frozen=True):
    """One of an account's deployments: name, state as AWS calls it, time of the last change, address."""

    name: str
    state: str
    updated: str
    url: str


def status(name: str, aws: Connection) -> Status:
    """Looks at a deployment.

    Args:
        name: Its name.
        aws: Where.

    Raises:
        UsageError: No deployment can have such a name.
        MissingResourceError: There is none.
    """
    found = locate(aws, name)
    live = versions.traffic(aws, found.function)
    published = versions.published(aws, found.function)
    before = set(rollout.live_before(found.template))
    serving = next(
        (version for version in published if live is not None and version.number == live.version), None
    )
    names = [
        entry.physical_id
        for entry in stack.resources(aws, found.stack.name).values()
        if entry.type == "AWS::CloudWatch::Alarm"
    ]
    locks = lock.bucket_of_locks(aws)
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
        alarms=tuple(AlarmStatus(one.name, one.state, one.reason) for one in alarms.states(aws, names)),
        busy=f"{holder.doing} by {holder.user} on {holder.host}" if holder is not None else None,
    )


def deployments(aws: Connection) -> tuple[Listed, ...]:
    """Every deployment of an account and region, by name."""
    found = []
    with answered("Listing the deployments"):
        for page in aws.client("cloudformation").get_paginator("describe_stacks").paginate():
            for entry in page["Stacks"]:
                tags = {tag["Key"]: tag["Value"] for tag in entry.get("Tags") or []}
                if tags.get(NAME_TAG) and entry["StackStatus"] != "REVIEW_IN_PROGRESS":
                    found.append(_listed(tags[NAME_TAG], entry))
    return tuple(sorted(found, key=lambda listed: listed.name))


def auth_of(found: Located, aws: Connection) -> str:
    """Who may call a deployment: what guards its address, or else the version that is live.

    Args:
        found: The deployment.
        aws: Where.
    """
    if handover.signed(found.template):
        return "aws-iam"
    return "api-key" if versions.checks_keys(aws, found.function) else "none"


def _share(live: versions.Traffic | None, number: str) -> float:
    if live is None:
        return 0.0
    if number == live.version:
        return 1.0 - sum(live.others.values())
    return live.others.get(number, 0.0)


def _listed(name: str, entry: dict[str, Any]) -> Listed:
    outputs = {output["OutputKey"]: output["OutputValue"] for output in entry.get("Outputs") or []}
    updated = entry.get("LastUpdatedTime") or entry.get("CreationTime")
    return Listed(
        name,
        entry["StackStatus"],
        updated.isoformat(timespec="seconds") if updated else "",
        outputs.get("Url", ""),
    )
