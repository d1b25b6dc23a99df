"""Looks up deployments: live version, rollback candidates, alarms."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from serverless.aws import Connection, MissingResourceError
from serverless.deploy.config.deployment_config import NAME_TAG, Deployment
from serverless.deploy.config.errors import DeployError
from serverless.deploy.stack import lock, stack, versions
from serverless.deploy.stack.bucket import CodeBucket, code_bucket, exists
from serverless.deploy.stack.stack import Stack, Template
from serverless.deploy.traffic import canary_stages, stage_templates


@dataclass(frozen=True)
class Endpoint:
    """A deployment that exists.

    Attributes:
        name: Its name.
        stack: Its stack.
        template: The stack's template.
    """

    name: str
    stack: Stack
    template: Template

    @property
    def function(self) -> str:
        """The function's name."""
        return self.stack.name

    @property
    def url(self) -> str:
        """The endpoint's URL with a trailing slash; empty before it has one."""
        return self.stack.outputs.get("Url", "")


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
    alarms: tuple[canary_stages.Alarm, ...]
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
    before = set(stage_templates.history_of(found.template))
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
        alarms=canary_stages.states(aws, names),
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
    if stage_templates.requires_signature(found.template):
        return "aws-iam"
    return "api-key" if versions.checks_keys(aws, found.function) else "none"


def _share(live: versions.Traffic | None, number: str) -> float:
    if live is None:
        return 0.0
    if number == live.version:
        return 1.0 - sum(live.others.values())
    return live.others.get(number, 0.0)


def look_up(aws: Connection, name: str) -> Endpoint:
    """Finds a deployment.

    Args:
        aws: The account and region.
        name: The deployment's name.

    Raises:
        UsageError: The name is invalid.
        MissingResourceError: There is no such deployment.
        DeployError: The stack of that name was not made by snapship.
    """
    stack_name = Deployment(name).stack
    found = stack.describe(aws, stack_name)
    if found is None or found.empty:
        raise MissingResourceError(
            f"The deployment must exist. Received: {name}, which is not in {aws.region} of account {aws.account}. "
            "Pass --region, list all deployments (snapship status), or create it (snapship deploy)."
        )
    check_owner(found, name)
    return Endpoint(name, found, stack.template_of(aws, stack_name))


def code_bucket_of(aws: Connection, template: Template) -> CodeBucket:
    """The bucket with a template's code: snapship's own or the user's.

    Args:
        aws: The account and region.
        template: The template of a stack.
    """
    own, named = code_bucket(aws), stage_templates.code_bucket_name(template)
    return own if named in ("", own.name) else code_bucket(aws, named)


def check_owner(found: Stack, name: str) -> None:
    """Refuses a stack that snapship did not make.

    Args:
        found: The stack.
        name: The deployment's name.

    Raises:
        DeployError: It does not carry the tag.
    """
    if found.tags.get(NAME_TAG) != name and not found.empty:
        raise DeployError(
            f"The stack {found.name} must be made by snapship. Received: one without the tag {NAME_TAG}={name}. "
            "Choose another name."
        )
