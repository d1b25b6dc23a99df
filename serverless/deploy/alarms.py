"""Watching a deployment's alarms while a new version gets a share of the calls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from serverless.aws import Connection, answered
from serverless.deploy.lock import Lock
from serverless.deploy.stack import Resource, Say

POLL_SECONDS = 10.0
"""An alarm of ours looks at minutes; asking ten times as often loses nothing."""


@dataclass(frozen=True)
class Alarm:
    """An alarm as it is.

    Attributes:
        name: Its name.
        state: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``.
        reason: Why, as CloudWatch says it.
    """

    name: str
    state: str
    reason: str


def states(aws: Connection, names: Sequence[str]) -> tuple[Alarm, ...]:
    """Looks alarms up.

    Args:
        aws: Where.
        names: Their names; those that are not there are left out.
    """
    if not names:
        return ()
    with answered("Looking at the alarms"):
        found = aws.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return tuple(
        Alarm(entry["AlarmName"], entry["StateValue"], " ".join(entry.get("StateReason", "").split()))
        for entry in found
    )


def names(resources: Sequence[Resource]) -> tuple[str, ...]:
    """Names of a stack's alarms on errors and latency; a queue's old dead letters say nothing of a version.

    Args:
        resources: What the stack holds.
    """
    return tuple(
        entry.physical_id
        for entry in resources
        if entry.type == "AWS::CloudWatch::Alarm" and entry.logical_id in ("ErrorAlarm", "LatencyAlarm")
    )


def watch(aws: Connection, names: Sequence[str], minutes: float, lock: Lock, say: Say) -> Alarm | None:
    """Looks at alarms until one goes off or the time is over.

    Args:
        aws: Where.
        names: The alarms.
        minutes: How long.
        lock: Checked meanwhile.
        say: Told once a minute.

    Returns:
        The alarm that went off; None when none did.
    """
    begin = time.monotonic()
    told = -1
    while True:
        lock.check()
        for alarm in states(aws, names):
            if alarm.state == "ALARM":
                return alarm
        passed = time.monotonic() - begin
        left = minutes * 60 - passed
        if left <= 0:
            return None
        if int(passed // 60) > told:
            told = int(passed // 60)
            say(f"No alarm; {left / 60:.0f} minutes to go")
        time.sleep(min(POLL_SECONDS, left))
