"""The stages of a roll-out on AWS, steps 4 to 7 of deploying.py: publish, self-test, canary, shift."""

from __future__ import annotations

import time

from edge_runtime.errors import UsageError
from serverless.deploy import alarms, changes, handover, rollout, stack, versions, waiting
from serverless.deploy.errors import DeployError, RolledBackError
from serverless.deploy.stack import Template
from serverless.deploy.template.tagging import tags
from serverless.deploy.work import Work

PERMISSIONS_S = 120.0
"""How long a permission that was just given may take to reach every part of AWS: IAM is eventually
consistent, and some two minutes were seen (aws-sdk-cpp issue 1947)."""

RETRY_S = 10.0


def first(work: Work, final: Template, *, create: bool) -> str:
    """Steps 4, 5 and 7 where nothing is live yet.

    Args:
        work: The deployment.
        final: The template of its end.
        create: Whether there is no stack yet.

    Returns:
        Number of the version that is live now.

    Raises:
        RolledBackError: The self-test failed; the stack is gone again.
    """
    work.begin("Making the function, which nobody can call yet")
    to(work, rollout.before_traffic(final), create=create)
    number = _published(work, final)
    trial = _tried(work, number)
    if not trial.passed:
        work.begin("Removing what was made")
        made = stack.describe(work.aws, work.deployment.stack)
        if made is not None:
            waiting.remove(work.aws, made, work.say)
        own = work.config.bucket
        raise RolledBackError(
            f"A version must pass its self-test on AWS. Received: {trial.said}. "
            "Nothing was live before, and nothing of it is left but its package and keys: snapship destroy "
            f"{work.deployment.name}{f' --bucket {own}' if own else ''}"
        )
    work.begin("Opening it to calls")
    to(work, rollout.recorded(final, ()))
    return number


def following(
    work: Work, final: Template, current: Template, live: versions.Traffic, history: tuple[str, ...]
) -> str:
    """Steps 4 to 7 where a version is live.

    Args:
        work: The deployment.
        final: The template of its end.
        current: The stack's template.
        live: Where calls go now.
        history: Versions that were live before that, oldest first.

    Returns:
        Number of the version that is live now.

    Raises:
        RolledBackError: The self-test failed or an alarm went off; calls go where they went.
        UsageError: A canary, while who may call changes.
    """
    config, old = work.config, live.version
    if config.canary > 0:
        _check_canary(work, old)
    if live.others:
        work.say(
            f"A roll-out was cut off: version {', '.join(live.others)} has a share of the calls, which ends now"
        )
    held_back = rollout.recorded(handover.held_back(current, final, old), history)
    work.begin(f"Publishing a new version; calls go on to version {old}")
    to(work, held_back)
    number = _published(work, final)
    trial = _tried(work, number)
    if not trial.passed:
        raise RolledBackError(
            f"A version must pass its self-test on AWS. Received: version {number}: {trial.said}. "
            f"All calls go on to version {old}; mend the bundle and deploy again."
        )
    if config.canary > 0:
        names = alarms.names(list(stack.resources(work.aws, work.deployment.stack).values()))
        _canary(work, held_back, number, old, names)
    _hand_over(work, held_back, final, number, (*history, old))
    return number


def _hand_over(
    work: Work, held_back: Template, final: Template, number: str, history: tuple[str, ...]
) -> None:
    """Step 7: closes the address before the alias moves, opens it after."""
    before = held_back
    if handover.closes(held_back, final):
        work.begin("Closing the address to requests that are not signed")
        before = handover.fronted(held_back, final)
        to(work, before)
    work.begin(f"Sending all calls to version {number}")
    moved = rollout.recorded(handover.shifted(before, final), history)
    try:
        to(work, moved)
    except DeployError:
        live = versions.traffic(work.aws, work.deployment.stack) if before is not held_back else None
        if live is not None and live.version != number and not live.others:
            # AWS put the alias back to the version whose callers are those of the address that was closed.
            work.begin("Opening the address again, as the version before stays live")
            to(work, held_back)
        raise
    if not rollout.same(moved, final):
        work.begin("Changing what is around it, which the version before no longer needs")
        to(work, rollout.recorded(final, history))


def _check_canary(work: Work, old: str) -> None:
    """Both versions stand behind one address during a canary, so they must be for the same callers."""
    name, auth = work.deployment.stack, work.deployment.auth
    now = next((one.auth for one in versions.published(work.aws, name) if one.number == old), auth)
    if now != auth:
        raise UsageError(
            f"A canary needs the --auth of the version that is live. Received: --auth {auth} beside version {old} "
            f"of --auth {now}. Deploy without --canary, or with --auth {now} first."
        )


def _canary(work: Work, held_back: Template, number: str, old: str, names: tuple[str, ...]) -> None:
    config = work.config
    ringing = [alarm for alarm in alarms.states(work.aws, names) if alarm.state == "ALARM"]
    if ringing:
        raise RolledBackError(
            f"Alarms must be quiet before a canary, or they say nothing of it. Received: {ringing[0].name} is in "
            f"ALARM ({ringing[0].reason}). All calls go on to version {old}; deploy without --canary to replace it."
        )
    work.begin(f"Sending {config.canary * 100:g} % of the calls to version {number}")
    to(work, handover.shared(held_back, config.canary))
    work.begin(f"Watching {len(names)} alarms for {config.canary_minutes:g} minutes")
    assert work.lock is not None
    alarm = alarms.watch(work.aws, names, config.canary_minutes, work.lock, work.say)
    if alarm is not None:
        work.begin(f"{alarm.name} went off: sending all calls back to version {old}")
        to(work, held_back)
        raise RolledBackError(
            f"Alarms must stay quiet while a version has its first calls. Received: {alarm.name} ({alarm.reason}). "
            f"All calls go to version {old} again; read the log: snapship logs {work.deployment.name}"
        )


def to(work: Work, wanted: Template, *, create: bool = False) -> None:
    """Brings the stack to a template.

    Args:
        work: The deployment.
        wanted: The template.
        create: Whether there is no stack yet.
    """
    change = changes.propose(work.aws, work.deployment.stack, wanted, tags(work.deployment), create=create)
    if not change.id:
        work.say("Already so")
    changes.apply(work.aws, change, work.say)


def number_of(work: Work, final: Template) -> str | None:
    """Number of a template's version; None while the stack does not have it.

    Args:
        work: The deployment.
        final: The template.
    """
    found = stack.resources(work.aws, work.deployment.stack).get(rollout.version_id(final))
    return found.physical_id.rpartition(":")[2] if found is not None else None


def _published(work: Work, final: Template) -> str:
    number = number_of(work, final)
    if number is None:
        raise DeployError(
            "A stack must hold the version that it was changed to. Received: none. Repeat the deployment."
        )
    return number


def _tried(work: Work, number: str) -> versions.Trial:
    work.begin(f"Trying version {number} on AWS with the bundle's golden images")
    patient = time.monotonic() + PERMISSIONS_S
    while True:
        trial = versions.selftest(work.aws, work.deployment.stack, number)
        if trial.passed or "AccessDenied" not in trial.said or time.monotonic() > patient:
            break
        work.say("Its role is not known everywhere yet; trying again")
        time.sleep(RETRY_S)
    said = f": {trial.said}" if trial.said else ""
    work.say(f"Self-test {'passed' if trial.passed else 'failed'}{said}")
    return trial
