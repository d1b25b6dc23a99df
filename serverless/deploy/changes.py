"""Change sets: what a template would change, and doing it.

Change sets rather than plain updates: what is going to happen is known before it does, a
template that changes nothing is told apart from one that fails, and ``--plan`` is the same
thing without the last step.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serverless.aws import Connection, answered, code_of
from serverless.deploy.errors import DeployError, LimitError
from serverless.deploy.stack import Say, Stack, Template, describe
from serverless.deploy.waiting import FIRST_POLL_SECONDS, POLL_SECONDS, event_ids, settle

TEMPLATE_BYTES = 51_200
"""Largest template in a request (CloudFormation quotas)."""

_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
"""How AWS says that a template changes nothing: not by a code."""


@dataclass(frozen=True)
class Change:
    """One resource that a change set touches.

    Attributes:
        action: ``Add``, ``Modify``, ``Remove`` and such.
        logical_id: Its name in the template.
        type: Such as ``AWS::Lambda::Alias``.
        replaced: Whether it is made anew: ``True``, ``False``, ``Conditional`` or empty.
    """

    action: str
    logical_id: str
    type: str
    replaced: str = ""


@dataclass(frozen=True)
class ChangeSet:
    """What AWS would do.

    Attributes:
        id: Its ARN; empty when nothing would change.
        stack: Name of the stack.
        changes: Resource by resource.
        create: Whether the stack would be made.
    """

    id: str
    stack: str
    changes: tuple[Change, ...]
    create: bool


def propose(
    aws: Connection, name: str, template: Template, tags: Mapping[str, str], *, create: bool
) -> ChangeSet:
    """Asks AWS what a template would change.

    Args:
        aws: Where.
        name: The stack's name.
        template: As it is to be.
        tags: Of the stack and all that it holds.
        create: Whether the stack is to be made.

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
    # Said although they are the defaults: those of an earlier template must not stay.
    parameters = {key: entry["Default"] for key, entry in template.get("Parameters", {}).items()}
    with answered(f"Preparing the change of {name}"):
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


def apply(aws: Connection, change: ChangeSet, say: Say) -> Stack:
    """Executes a change set and waits until AWS is done.

    Args:
        aws: Where.
        change: What to do; one without changes does nothing.
        say: Told of every resource.

    Returns:
        The stack as it then is.

    Raises:
        DeployError: It failed; AWS has put the stack back to what it was.
    """
    seen = event_ids(aws, change.stack)
    if change.id:
        with answered(f"Changing {change.stack}"):
            aws.client("cloudformation").execute_change_set(ChangeSetName=change.id, StackName=change.stack)
    return settle(aws, change.stack, say, seen, started=bool(change.id))


def discard(aws: Connection, change: ChangeSet) -> None:
    """Forgets a change set that is not to be executed, and the empty stack that holds it.

    Nobody holds a lock for it, so somebody else may be making the stack meanwhile: a stack that
    is no longer empty, or has another change set, is left alone.

    Args:
        aws: Where.
        change: Of :func:`propose`.
    """
    if change.id:
        _discard(aws, change.id, change.stack)
    if change.create and _abandoned(aws, change.stack):
        with answered(f"Removing the empty stack {change.stack}"):
            aws.client("cloudformation").delete_stack(StackName=change.stack)


def _changes(cloudformation: Any, made: str, name: str, first: Mapping[str, Any]) -> tuple[Change, ...]:
    found: list[Change] = []
    page = first
    while True:
        for entry in page.get("Changes") or []:
            change = entry["ResourceChange"]
            found.append(
                Change(
                    change["Action"],
                    change["LogicalResourceId"],
                    change["ResourceType"],
                    change.get("Replacement") or "",
                )
            )
        token = page.get("NextToken")
        if not token:
            return tuple(found)
        page = cloudformation.describe_change_set(ChangeSetName=made, StackName=name, NextToken=token)


def _abandoned(aws: Connection, name: str) -> bool:
    """Whether a stack was never made, and nobody is about to."""
    found = describe(aws, name)
    if found is None or not found.empty:
        return False
    with answered(f"Looking for other changes of {name}"):
        return not aws.client("cloudformation").list_change_sets(StackName=name)["Summaries"]


def _discard(aws: Connection, id: str, name: str) -> None:
    cloudformation = aws.client("cloudformation")
    with answered("Forgetting a change set"):
        try:
            cloudformation.delete_change_set(ChangeSetName=id, StackName=name)
        except cloudformation.exceptions.ClientError as error:
            # Executing one deletes all others.
            if code_of(error) not in ("ChangeSetNotFound", "ChangeSetNotFoundException"):
                raise
