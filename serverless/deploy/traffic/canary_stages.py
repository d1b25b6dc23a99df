"""Steps 4 to 7 of deploying.py, on AWS: publish, self-test, canary, shift."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from edge_runtime.common.errors import UsageError
from serverless.aws import Connection, answered
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.config.errors import DeployError, RolledBackError
from serverless.deploy.stack import changes, stack, versions, waiting
from serverless.deploy.stack.lock import Lock
from serverless.deploy.stack.stack import Progress, Template
from serverless.deploy.template import alarms
from serverless.deploy.template.building import tags
from serverless.deploy.traffic import stage_templates

PERMISSIONS_S = 120.0
"""How long a new permission may take to reach every part of AWS: IAM is eventually consistent, and
about two minutes have been observed (aws-sdk-cpp issue 1947)."""

RETRY_S = 10.0

POLL_SECONDS = 10.0
"""Between two looks at the alarms, which evaluate whole minutes."""


@dataclass
class Context:
    """A deployment in progress.

    Attributes:
        config: What to deploy, and how.
        aws: The account and region.
        progress: Progress callback.
        step: The current step.
        lock: Held once there is a code bucket.
    """

    config: DeployConfig
    aws: Connection
    progress: Progress
    step: str = ""
    lock: Lock | None = None

    @property
    def deployment(self) -> Deployment:
        """The desired endpoint."""
        return self.config.deployment

    def begin(self, step: str) -> None:
        """Starts a step: checks the lock and reports the step.

        Args:
            step: The step, as the beginning of a sentence.

        Raises:
            LockedError: Somebody else has taken over the lock.
        """
        if self.lock is not None:
            self.lock.check()
        self.step = step
        self.progress(step)


def deploy_first(context: Context, final: Template, *, create: bool) -> str:
    """Steps 4, 5 and 7 if nothing is live yet.

    Args:
        context: The deployment.
        final: The final template.
        create: Whether the stack must be created.

    Returns:
        Number of the version that is now live.

    Raises:
        RolledBackError: The self-test failed; the stack was removed again.
    """
    context.begin("Creating the function, which nobody can call yet")
    update_stack(context, stage_templates.without_alias(final), create=create)
    number = _published(context, final)
    result = _selftest(context, number)
    if not result.passed:
        context.begin("Removing the stack")
        made = stack.describe(context.aws, context.deployment.stack)
        if made is not None:
            waiting.remove(context.aws, made, context.progress)
        own = context.config.bucket
        raise RolledBackError(
            f"A version must pass its self-test on AWS. Received: {result.detail}. "
            "Nothing was live before; only the package and keys are left, to be removed with: snapship destroy "
            f"{context.deployment.name}{f' --bucket {own}' if own else ''}"
        )
    context.begin("Opening the endpoint")
    update_stack(context, stage_templates.with_history(final, ()))
    return number


def deploy_next(
    context: Context,
    final: Template,
    current: Template,
    live: versions.Traffic,
    history: tuple[str, ...],
) -> str:
    """Steps 4 to 7 if a version is live.

    Args:
        context: The deployment.
        final: The final template.
        current: The stack's template.
        live: Where calls go now.
        history: Versions that were live before, oldest first.

    Returns:
        Number of the version that is now live.

    Raises:
        RolledBackError: The self-test failed or an alarm went off; calls still go to the old version.
        UsageError: A canary was requested although --auth changes.
    """
    config, old = context.config, live.version
    if config.canary > 0:
        _check_canary(context, old)
    if live.others:
        context.progress(
            f"A canary was interrupted: version {', '.join(live.others)} loses its share of the calls"
        )
    held = stage_templates.with_history(stage_templates.with_new_version(current, final, old), history)
    context.begin(f"Publishing a new version; calls still go to version {old}")
    update_stack(context, held)
    number = _published(context, final)
    result = _selftest(context, number)
    if not result.passed:
        raise RolledBackError(
            f"A version must pass its self-test on AWS. Received: version {number}: {result.detail}. "
            f"All calls still go to version {old}; fix the bundle and deploy again."
        )
    if config.canary > 0:
        _canary(context, held, number, old)
    _shift_traffic(context, held, final, number, (*history, old))
    return number


def _shift_traffic(
    context: Context, held: Template, final: Template, number: str, history: tuple[str, ...]
) -> None:
    """Step 7: closes the endpoint before the alias moves, or opens it afterwards."""
    before = held
    if stage_templates.closes_endpoint(held, final):
        context.begin("Closing the endpoint to unsigned requests")
        before = stage_templates.with_front_of(held, final)
        update_stack(context, before)
    context.begin(f"Sending all calls to version {number}")
    moved = stage_templates.with_history(stage_templates.with_alias_moved(before, final), history)
    try:
        update_stack(context, moved)
    except DeployError:
        live = versions.traffic(context.aws, context.deployment.stack) if before is not held else None
        if live is not None and live.version != number and not live.others:
            # AWS moved the alias back to the old version, whose callers the closed endpoint refuses.
            context.begin("Reopening the endpoint, as the old version stays live")
            update_stack(context, held)
        raise
    if not stage_templates.same(moved, final):
        context.begin("Removing what only the old version needed")
        update_stack(context, stage_templates.with_history(final, history))


def _check_canary(context: Context, old: str) -> None:
    """During a canary both versions are behind one URL, so they must serve the same callers."""
    name, auth = context.deployment.stack, context.deployment.auth
    now = next((one.auth for one in versions.published(context.aws, name) if one.number == old), auth)
    if now != auth:
        raise UsageError(
            f"A canary needs the --auth of the live version. Received: --auth {auth}, but version {old} has "
            f"--auth {now}. Deploy without --canary, or with --auth {now} first."
        )


def _canary(context: Context, held: Template, number: str, old: str) -> None:
    config, there = context.config, stack.resources(context.aws, context.deployment.stack)
    # Not the alarm for lost events: old dead letters say nothing about a version.
    names = [there[id].physical_id for id in (alarms.ERRORS, alarms.LATENCY) if id in there]
    ringing = [alarm for alarm in states(context.aws, names) if alarm.state == "ALARM"]
    if ringing:
        raise RolledBackError(
            f"No alarm may be on before a canary, which it would end. Received: {ringing[0].name} is in ALARM "
            f"({ringing[0].reason}). All calls still go to version {old}; deploy without --canary to replace it."
        )
    context.begin(f"Sending {config.canary * 100:g} % of the calls to version {number}")
    update_stack(context, stage_templates.with_canary(held, config.canary))
    context.begin(f"Watching {len(names)} alarms for {config.canary_minutes:g} minutes")
    assert context.lock is not None
    alarm = watch(context.aws, names, config.canary_minutes, context.lock, context.progress)
    if alarm is not None:
        context.begin(f"{alarm.name} went off: sending all calls back to version {old}")
        update_stack(context, held)
        raise RolledBackError(
            f"No alarm may go off during a canary. Received: {alarm.name} ({alarm.reason}). "
            f"All calls go to version {old} again; read the log: snapship logs {context.deployment.name}"
        )


def update_stack(context: Context, wanted: Template, *, create: bool = False) -> None:
    """Updates the stack to a template.

    Args:
        context: The deployment.
        wanted: The template.
        create: Whether the stack must be created.
    """
    change = changes.propose(
        context.aws, context.deployment.stack, wanted, tags(context.deployment), create=create
    )
    if not change.id:
        context.progress("Already up to date")
    changes.apply(context.aws, change, context.progress)


def version_number(context: Context, final: Template) -> str | None:
    """Number of a template's version; None if the stack does not have it yet.

    Args:
        context: The deployment.
        final: The template.
    """
    found = stack.resources(context.aws, context.deployment.stack).get(stage_templates.version_id(final))
    return found.physical_id.rpartition(":")[2] if found is not None else None


def _published(context: Context, final: Template) -> str:
    number = version_number(context, final)
    if number is None:
        raise DeployError("The stack must contain the new version. Received: none. Repeat the deployment.")
    return number


def _selftest(context: Context, number: str) -> versions.SelftestResult:
    context.begin(f"Testing version {number} on AWS with the bundle's golden images")
    deadline = time.monotonic() + PERMISSIONS_S
    while True:
        result = versions.selftest(context.aws, context.deployment.stack, number)
        if result.passed or "AccessDenied" not in result.detail or time.monotonic() > deadline:
            break
        context.progress("The role's permissions have not reached all of AWS yet; trying again")
        time.sleep(RETRY_S)
    detail = f": {result.detail}" if result.detail else ""
    context.progress(f"Self-test {'passed' if result.passed else 'failed'}{detail}")
    return result


class Alarm(msgspec.Struct, frozen=True):
    """The state of an alarm.

    Attributes:
        name: Its name.
        state: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``.
        reason: CloudWatch's reason for the state.
    """

    name: str
    state: str
    reason: str


def states(aws: Connection, names: Sequence[str]) -> tuple[Alarm, ...]:
    """Looks up alarms.

    Args:
        aws: The account and region.
        names: Their names; missing alarms are left out.
    """
    if not names:
        return ()
    with answered("Looking up the alarms"):
        found = aws.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return tuple(
        Alarm(entry["AlarmName"], entry["StateValue"], " ".join(entry.get("StateReason", "").split()))
        for entry in found
    )


def watch(
    aws: Connection, names: Sequence[str], minutes: float, lock: Lock, progress: Progress
) -> Alarm | None:
    """Watches alarms until one goes off or the time is up.

    Args:
        aws: The account and region.
        names: The alarms.
        minutes: How long to watch.
        lock: Checked meanwhile.
        progress: Progress callback, called once a minute.

    Returns:
        The alarm that went off; None if none did.
    """
    begin = time.monotonic()
    reported = -1
    while True:
        lock.check()
        for alarm in states(aws, names):
            if alarm.state == "ALARM":
                return alarm
        passed = time.monotonic() - begin
        left = minutes * 60 - passed
        if left <= 0:
            return None
        if int(passed // 60) > reported:
            reported = int(passed // 60)
            progress(f"No alarm; {left / 60:.0f} minutes to go")
        time.sleep(min(POLL_SECONDS, left))
