"""Waiting for AWS to be done with a stack, and saying meanwhile what it does."""

from __future__ import annotations

import time
from typing import Any

from serverless.aws import Connection, answered
from serverless.deploy.errors import DeployError
from serverless.deploy.stack import Say, Stack, describe

POLL_SECONDS = 2.0
"""Between two looks at a stack that AWS is working on."""

FIRST_POLL_SECONDS = 0.2


def settle(
    aws: Connection, name: str, say: Say, seen: set[str] | None = None, *, started: bool = False
) -> Stack:
    """Waits until AWS is done with a stack.

    Args:
        aws: Where.
        name: The stack's name or ARN.
        say: Told of every resource.
        seen: Ids of events that are known; None for all there are by now.
        started: Whether a change was just asked for.

    Raises:
        DeployError: What AWS was doing failed.
    """
    known = event_ids(aws, name) if seen is None else seen
    failures: list[str] = []
    pause, begun = FIRST_POLL_SECONDS, False
    while True:
        found = describe(aws, name)
        if found is None:
            raise DeployError(
                f"A stack must stay while it is changed. Received: {name} is gone. Repeat the command."
            )
        news = _tell_events(aws, name, known, failures, say)
        begun = begun or news or found.busy
        if news and not found.busy:
            # The status was read before the events, and may be that of before the change.
            continue
        # AWS may show the old status for a moment after a change was asked for.
        if not found.busy and (begun or not started):
            break
        time.sleep(pause)
        pause = min(POLL_SECONDS, pause * 1.5)
    if not found.usable or (started and "ROLLBACK" in found.status):
        raise DeployError(_failed(found, failures))
    return found


def remove(aws: Connection, stack: Stack, say: Say) -> None:
    """Deletes a stack and waits until it is gone.

    Args:
        aws: Where.
        stack: The stack.
        say: Told of every resource.

    Raises:
        DeployError: Something in it could not be deleted.
    """
    known, failures = event_ids(aws, stack.id), list[str]()
    with answered(f"Deleting {stack.name}"):
        aws.client("cloudformation").delete_stack(StackName=stack.name)
    pause, begun = FIRST_POLL_SECONDS, False
    while True:
        # By its ARN, under which a deleted stack is still known.
        found = describe(aws, stack.id)
        if found is None or found.status == "DELETE_COMPLETE":
            return
        news = _tell_events(aws, stack.id, known, failures, say)
        # A deletion that failed before may still be shown for a moment.
        begun = begun or news or found.busy
        if found.status == "DELETE_FAILED" and begun and not news:
            raise DeployError(_failed(found, failures))
        time.sleep(pause)
        pause = min(POLL_SECONDS, pause * 1.5)


def _events(aws: Connection, name: str) -> list[dict[str, Any]]:
    """The last page of them, oldest first; a stack of ours has fewer events a change."""
    cloudformation = aws.client("cloudformation")
    with answered(f"Reading the events of {name}"):
        try:
            found = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        except cloudformation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return []
            raise
    return list(reversed(found))


def event_ids(aws: Connection, name: str) -> set[str]:
    """Which events of a stack are known, so that only later ones are told.

    Args:
        aws: Where.
        name: The stack's name or ARN.
    """
    return {event["EventId"] for event in _events(aws, name)}


def _tell_events(aws: Connection, name: str, known: set[str], failures: list[str], say: Say) -> bool:
    """Says what is new; whether anything is."""
    new = False
    for event in _events(aws, name):
        if event["EventId"] in known:
            continue
        known.add(event["EventId"])
        new = True
        status, logical = event["ResourceStatus"], event["LogicalResourceId"]
        reason = " ".join((event.get("ResourceStatusReason") or "").split())
        if status.endswith("_FAILED") and "cancelled" not in reason:
            failures.append(f"{logical}: {reason or status}")
        shown = f" ({reason})" if reason and status.endswith("_FAILED") else ""
        say(f"{status:<28} {event['ResourceType']:<28} {logical}{shown}")
    return new


def _failed(stack: Stack, failures: list[str]) -> str:
    why = failures[0] if failures else stack.reason or "AWS gives no reason"
    cures = {
        "UPDATE_ROLLBACK_FAILED": "In the console of CloudFormation: Stack actions, Continue update rollback.",
        "ROLLBACK_FAILED": "Run snapship destroy, then deploy again.",
        "DELETE_FAILED": "Remove what it names, then repeat.",
    }
    cure = cures.get(stack.status, "Mend that and repeat; AWS put back what it had changed.")
    return f"AWS must be able to make every part of {stack.name}. Received: {stack.status}: {why.rstrip('.')}. {cure}"
