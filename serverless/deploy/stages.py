"""Steps 4 to 7 of deploying.py, on AWS: publish, self-test, canary, shift."""

from __future__ import annotations

import time

from edge_runtime.errors import UsageError
from serverless.deploy import alarms, changes, handover, rollout, stack, versions, waiting
from serverless.deploy.errors import DeployError, RolledBackError
from serverless.deploy.stack import Template
from serverless.deploy.template.tagging import tags
from serverless.deploy.work import Context

PERMISSIONS_S = 120.0
"""How long a new permission may take to reach every part of AWS: IAM is eventually consistent, and
about two minutes have been observed (aws-sdk-cpp issue 1947)."""

RETRY_S = 10.0


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
    update_stack(context, rollout.without_alias(final), create=create)
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
    update_stack(context, rollout.with_history(final, ()))
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
    held = rollout.with_history(handover.with_new_version(current, final, old), history)
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
        names = alarms.names(list(stack.resources(context.aws, context.deployment.stack).values()))
        _canary(context, held, number, old, names)
    _shift_traffic(context, held, final, number, (*history, old))
    return number


def _shift_traffic(
    context: Context, held: Template, final: Template, number: str, history: tuple[str, ...]
) -> None:
    """Step 7: closes the endpoint before the alias moves, or opens it afterwards."""
    before = held
    if handover.closes_endpoint(held, final):
        context.begin("Closing the endpoint to unsigned requests")
        before = handover.with_front_of(held, final)
        update_stack(context, before)
    context.begin(f"Sending all calls to version {number}")
    moved = rollout.with_history(handover.with_alias_moved(before, final), history)
    try:
        update_stack(context, moved)
    except DeployError:
        live = versions.traffic(context.aws, context.deployment.stack) if before is not held else None
        if live is not None and live.version != number and not live.others:
            # AWS moved the alias back to the old version, whose callers the closed endpoint refuses.
            context.begin("Reopening the endpoint, as the old version stays live")
            update_stack(context, held)
        raise
    if not rollout.same(moved, final):
        context.begin("Removing what only the old version needed")
        update_stack(context, rollout.with_history(final, history))


def _check_canary(context: Context, old: str) -> None:
    """During a canary both versions are behind one URL, so they must serve the same callers."""
    name, auth = context.deployment.stack, context.deployment.auth
    now = next((one.auth for one in versions.published(context.aws, name) if one.number == old), auth)
    if now != auth:
        raise UsageError(
            f"A canary needs the --auth of the live version. Received: --auth {auth}, but version {old} has "
            f"--auth {now}. Deploy without --canary, or with --auth {now} first."
        )


def _canary(context: Context, held: Template, number: str, old: str, names: tuple[str, ...]) -> None:
    config = context.config
    ringing = [alarm for alarm in alarms.states(context.aws, names) if alarm.state == "ALARM"]
    if ringing:
        raise RolledBackError(
            f"No alarm may be on before a canary, which it would end. Received: {ringing[0].name} is in ALARM "
            f"({ringing[0].reason}). All calls still go to version {old}; deploy without --canary to replace it."
        )
    context.begin(f"Sending {config.canary * 100:g} % of the calls to version {number}")
    update_stack(context, handover.with_canary(held, config.canary))
    context.begin(f"Watching {len(names)} alarms for {config.canary_minutes:g} minutes")
    assert context.lock is not None
    alarm = alarms.watch(context.aws, names, config.canary_minutes, context.lock, context.progress)
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
    found = stack.resources(context.aws, context.deployment.stack).get(rollout.version_id(final))
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
