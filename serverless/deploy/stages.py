"""The stages of a roll-out on AWS, steps 4 to 7 of deploying.py: publish, self-test, canary, shift."""

from __future__ import annotations

from serverless.deploy import alarms, changes, rollout, stack, versions, waiting
from serverless.deploy.errors import DeployError, RolledBackError
from serverless.deploy.stack import Template
from serverless.deploy.template import Code, template
from serverless.deploy.template.tagging import tags
from serverless.deploy.work import Work


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
        raise RolledBackError(
            f"A version must pass its self-test on AWS. Received: {trial.said}. "
            "Nothing was live before, and nothing of it is left but its package and keys (snapship destroy)."
        )
    work.begin("Opening it to calls")
    to(work, rollout.recorded(final, ()))
    return number


def following(
    work: Work, final: Template, code: Code, live: versions.Traffic, history: tuple[str, ...]
) -> str:
    """Steps 4 to 7 where a version is live.

    Args:
        work: The deployment.
        final: The template of its end.
        code: The package.
        live: Where calls go now.
        history: Versions that were live before that, oldest first.

    Returns:
        Number of the version that is live now.

    Raises:
        RolledBackError: The self-test failed or an alarm went off; calls go where they went.
    """
    config, old = work.config, live.version
    if live.others:
        work.say(
            f"A roll-out was cut off: version {', '.join(live.others)} has a share of the calls, which ends now"
        )
    held_back = rollout.recorded(template(work.deployment, code, previous_version=old), history)
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
        _canary(work, code, held_back, number, old, history, names)
    work.begin(f"Sending all calls to version {number}")
    to(work, rollout.recorded(final, (*history, old)))
    return number


def _canary(
    work: Work,
    code: Code,
    held_back: Template,
    number: str,
    old: str,
    history: tuple[str, ...],
    names: tuple[str, ...],
) -> None:
    config = work.config
    ringing = [alarm for alarm in alarms.states(work.aws, names) if alarm.state == "ALARM"]
    if ringing:
        raise RolledBackError(
            f"Alarms must be quiet before a canary, or they say nothing of it. Received: {ringing[0].name} is in "
            f"ALARM ({ringing[0].reason}). All calls go on to version {old}; deploy without --canary to replace it."
        )
    work.begin(f"Sending {config.canary * 100:g} % of the calls to version {number}")
    shared = template(work.deployment, code, previous_version=old, canary=config.canary)
    to(work, rollout.recorded(shared, history))
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
    trial = versions.selftest(work.aws, work.deployment.stack, number)
    said = f": {trial.said}" if trial.said else ""
    work.say(f"Self-test {'passed' if trial.passed else 'failed'}{said}")
    return trial
