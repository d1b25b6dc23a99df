"""Waiting for AWS to finish with a stack, and reporting what it does meanwhile."""

from __future__ import annotations

import time
from typing import Any

from serverless.aws import Connection, answered
from serverless.deploy.config.errors import DeployError
from serverless.deploy.stack.stack import Progress, Stack, describe

POLL_SECONDS = 2.0
"""Between two polls of a stack that AWS is working on."""

FIRST_POLL_SECONDS = 0.2


def settle(
    aws: Connection, name: str, progress: Progress, seen: set[str] | None = None, *, started: bool = False
) -> Stack:
    """Waits until AWS has finished with a stack.

    Args:
        aws: The account and region.
        name: The stack's name or ARN.
        progress: Progress callback, called per resource.
        seen: Ids of known events; None for all existing ones.
        started: Whether a change was just started.

    Raises:
        DeployError: The change failed.
    """
    known = event_ids(aws, name) if seen is None else seen
    failures: list[str] = []
    pause, begun = FIRST_POLL_SECONDS, False
    while True:
        found = describe(aws, name)
        if found is None:
            raise DeployError(
                f"A stack must exist while it is updated. Received: {name} is gone. Repeat the command."
            )
        news = _report_events(aws, name, known, failures, progress)
        begun = begun or news or found.busy
        if news and not found.busy:
            # The status was read before the events, so it may predate the change.
            continue
        # AWS may show the old status for a moment after a change was started.
        if not found.busy and (begun or not started):
            break
        time.sleep(pause)
        pause = min(POLL_SECONDS, pause * 1.5)
    if not found.usable or (started and "ROLLBACK" in found.status):
        raise DeployError(_failed(found, failures))
    return found


def settle_previous(aws: Connection, stack: Stack, progress: Progress) -> None:
    """Waits until AWS has finished what an interrupted deployment started; reports its failure.

    Args:
        aws: The account and region.
        stack: The stack, whose lock is held.
        progress: Progress callback, called per resource.
    """
    if not stack.busy:
        return
    progress(f"Waiting for AWS to finish {stack.status}")
    try:
        settle(aws, stack.name, progress)
    except DeployError as error:
        progress(f"The previous deployment failed: {error}")


def remove(aws: Connection, stack: Stack, progress: Progress) -> None:
    """Deletes a stack and waits until it is gone.

    Args:
        aws: The account and region.
        stack: The stack.
        progress: Progress callback, called per resource.

    Raises:
        DeployError: Something in it could not be deleted.
    """
    known, failures = event_ids(aws, stack.id), list[str]()
    with answered(f"Deleting {stack.name}"):
        aws.client("cloudformation").delete_stack(StackName=stack.name)
    pause, begun = FIRST_POLL_SECONDS, False
    while True:
        # By its ARN, as a deleted stack is no longer found by its name.
        found = describe(aws, stack.id)
        if found is None or found.status == "DELETE_COMPLETE":
            return
        news = _report_events(aws, stack.id, known, failures, progress)
        # An earlier deletion that failed may still be shown for a moment.
        begun = begun or news or found.busy
        if found.status == "DELETE_FAILED" and begun and not news:
            raise DeployError(_failed(found, failures))
        time.sleep(pause)
        pause = min(POLL_SECONDS, pause * 1.5)


def _events(aws: Connection, name: str) -> list[dict[str, Any]]:
    """The last page of events, oldest first; a change of our stacks has fewer events than that."""
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
    """Ids of a stack's events so far, so that only later ones are reported.

    Args:
        aws: The account and region.
        name: The stack's name or ARN.
    """
    return {event["EventId"] for event in _events(aws, name)}


def _report_events(
    aws: Connection, name: str, known: set[str], failures: list[str], progress: Progress
) -> bool:
    """Reports new events; returns whether there were any."""
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
        progress(f"{status:<28} {event['ResourceType']:<28} {logical}{shown}")
    return new


def _failed(stack: Stack, failures: list[str]) -> str:
    why = failures[0] if failures else stack.reason or "AWS gives no reason"
    cures = {
        "UPDATE_ROLLBACK_FAILED": "In the CloudFormation console: Stack actions, Continue update rollback.",
        "ROLLBACK_FAILED": "Run snapship destroy, then deploy again.",
        "DELETE_FAILED": "Remove what the reason names, then repeat.",
    }
    cure = cures.get(stack.status, "Fix that and repeat; AWS has rolled back its changes.")
    return f"AWS must be able to update {stack.name}. Received: {stack.status}: {why.rstrip('.')}. {cure}"
