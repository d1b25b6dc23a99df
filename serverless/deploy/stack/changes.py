"""Change sets: what a template would change, and how it is applied.

Change sets rather than plain updates, because the changes are known before they happen, a template
that changes nothing can be told apart from one that fails, and ``--plan`` is the same without the
last step.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serverless.aws import Connection, Ignoring, answered
from serverless.deploy.config.errors import DeployError, LimitError
from serverless.deploy.stack.stack import Progress, Stack, Template, describe
from serverless.deploy.stack.waiting import FIRST_POLL_SECONDS, POLL_SECONDS, event_ids, settle

TEMPLATE_BYTES = 51_200
"""Largest template in a request (CloudFormation quotas)."""

_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
"""How AWS says that a template changes nothing; there is no error code for it."""


@dataclass(frozen=True)
class ResourceChange:
    """One resource that a change set touches.

    Attributes:
        action: ``Add``, ``Modify``, ``Remove`` etc.
        logical_id: Its name in the template.
        type: E.g. ``AWS::Lambda::Alias``.
    """

    action: str
    logical_id: str
    type: str


@dataclass(frozen=True)
class ChangeSet:
    """What AWS would do.

    Attributes:
        id: Its ARN; empty if nothing would change.
        stack: Name of the stack.
        changes: One entry per resource.
        create: Whether the stack would be created.
    """

    id: str
    stack: str
    changes: tuple[ResourceChange, ...]
    create: bool


def propose(
    aws: Connection, name: str, template: Template, tags: Mapping[str, str], *, create: bool
) -> ChangeSet:
    """Asks AWS what a template would change.

    Args:
        aws: The account and region.
        name: The stack's name.
        template: The new template.
        tags: Tags of the stack and all its resources.
        create: Whether to create the stack.

    Raises:
        LimitError: The template is too long.
        DeployError: AWS does not accept it.
    """
    body = json.dumps(template, separators=(",", ":"))
    if len(body) > TEMPLATE_BYTES:
        raise LimitError(
            f"A template must have at most {TEMPLATE_BYTES:,} bytes. Received: {len(body):,}. "
            "Pass fewer variables or origins."
        )
    cloudformation = aws.client("cloudformation")
    # Passed although they are the defaults, to override those of an earlier template.
    parameters = {key: entry["Default"] for key, entry in template.get("Parameters", {}).items()}
    with answered(f"Preparing the changes of {name}"):
        try:
            made = cloudformation.create_change_set(
                StackName=name,
                ChangeSetName=f"snapship-{uuid.uuid4().hex}",
                ChangeSetType="CREATE" if create else "UPDATE",
                TemplateBody=body,
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
                ],
                Capabilities=["CAPABILITY_NAMED_IAM"],
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )["Id"]
        except cloudformation.exceptions.ClientError as error:
            if any(words in str(error) for words in _NO_CHANGES):
                return ChangeSet("", name, (), create)
            raise
        pause = FIRST_POLL_SECONDS
        while True:
            found = cloudformation.describe_change_set(ChangeSetName=made, StackName=name)
            if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                break
            time.sleep(pause)
            pause = min(POLL_SECONDS, pause * 2)
        changes = _changes(cloudformation, made, name, found)
    if found["Status"] == "FAILED":
        _discard(aws, made, name)
        reason = found.get("StatusReason", "")
        if any(words in reason for words in _NO_CHANGES):
            return ChangeSet("", name, (), create)
        raise DeployError(
            f"A template must be accepted by CloudFormation. Received: {(reason or 'no reason').rstrip('.')}. "
            "Change the option that it names, then repeat the command."
        )
    return ChangeSet(made, name, changes, create)


def apply(aws: Connection, change: ChangeSet, progress: Progress) -> Stack:
    """Executes a change set and waits until AWS has finished.

    Args:
        aws: The account and region.
        change: The change set; one without changes does nothing.
        progress: Progress callback, called per resource.

    Returns:
        The updated stack.

    Raises:
        DeployError: It failed; AWS has rolled the stack back.
    """
    seen = event_ids(aws, change.stack)
    if change.id:
        with answered(f"Updating {change.stack}"):
            aws.client("cloudformation").execute_change_set(ChangeSetName=change.id, StackName=change.stack)
    return settle(aws, change.stack, progress, seen, started=bool(change.id))


def discard(aws: Connection, change: ChangeSet) -> None:
    """Deletes a change set that will not be executed, and the empty stack that holds it.

    No lock is held for it, so somebody else may be creating the stack meanwhile: a stack that is no
    longer empty, or has another change set, is left alone.

    Args:
        aws: The account and region.
        change: A change set from :func:`propose`.
    """
    if change.id:
        _discard(aws, change.id, change.stack)
    if change.create and _abandoned(aws, change.stack):
        with answered(f"Removing the empty stack {change.stack}"):
            aws.client("cloudformation").delete_stack(StackName=change.stack)


def _changes(
    cloudformation: Any, made: str, name: str, first: Mapping[str, Any]
) -> tuple[ResourceChange, ...]:
    found: list[ResourceChange] = []
    page = first
    while True:
        for entry in page.get("Changes") or []:
            change = entry["ResourceChange"]
            found.append(
                ResourceChange(change["Action"], change["LogicalResourceId"], change["ResourceType"])
            )
        token = page.get("NextToken")
        if not token:
            return tuple(found)
        page = cloudformation.describe_change_set(ChangeSetName=made, StackName=name, NextToken=token)


def _abandoned(aws: Connection, name: str) -> bool:
    """Whether a stack was never created, and nobody is about to create it."""
    found = describe(aws, name)
    if found is None or not found.empty:
        return False
    with answered(f"Looking for other changes of {name}"):
        return not aws.client("cloudformation").list_change_sets(StackName=name)["Summaries"]


def _discard(aws: Connection, id: str, name: str) -> None:
    # Executing one deletes all others.
    gone = Ignoring("ChangeSetNotFound", "ChangeSetNotFoundException")
    with answered("Deleting a change set"), gone:
        aws.client("cloudformation").delete_change_set(ChangeSetName=id, StackName=name)
