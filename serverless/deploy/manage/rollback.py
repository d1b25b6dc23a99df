"""Rollback: points the alias at an older version, in one change set, without package or upload."""

from __future__ import annotations

import msgspec

from edge_runtime.common.errors import UsageError
from serverless.aws import Connection
from serverless.deploy.config.deployment_config import NAME_TAG
from serverless.deploy.config.errors import DeployError
from serverless.deploy.manage.status import Endpoint, look_up
from serverless.deploy.stack import changes, lock, versions, waiting
from serverless.deploy.stack.bucket import code_bucket, ensure
from serverless.deploy.stack.stack import Progress
from serverless.deploy.traffic import stage_templates


class Rollback(msgspec.Struct, frozen=True):
    """The result of a rollback.

    Attributes:
        name: The deployment's name.
        version: The version that is now live.
        left: The version that no longer gets calls.
        url: The endpoint's URL.
    """

    name: str
    version: str
    left: str
    url: str


def rollback(name: str, aws: Connection, progress: Progress, *, to: str | None = None) -> Rollback:
    """Sends all calls to an older version.

    Args:
        name: The deployment's name.
        aws: The account and region.
        progress: Progress callback.
        to: A version number; None for the one that was live before, or to end a canary.

    Raises:
        UsageError: There is no such version.
        DeployError: There is no older version, or it was made for other callers or events.
        LockedError: Somebody else is deploying this name.
    """
    found = look_up(aws, name)
    locks = code_bucket(aws)
    ensure(locks)
    with lock.held(locks, name, "snapship rollback"):
        if found.stack.busy:
            progress(f"Waiting for AWS to finish {found.stack.status}")
            waiting.settle(aws, found.stack.name, progress)
        # Again: the template may have changed before we got the lock.
        found = look_up(aws, name)
        live = versions.traffic(aws, found.function)
        if live is None:
            raise DeployError(f"A rollback needs a live version. Received: none of {name}. Deploy again.")
        target = _target(aws, found, live, to)
        left = next(iter(live.others), live.version) if target == live.version else live.version
        progress(f"Sending all calls to version {target}; version {left} gets none")
        before = stage_templates.history_of(found.template)
        older = before[: before.index(target)] if target in before else before
        wanted = stage_templates.with_history(stage_templates.with_alias_at(found.template, target), older)
        change = changes.propose(aws, found.stack.name, wanted, _tags(found), create=False)
        changes.apply(aws, change, progress)
    return Rollback(name, target, left, found.url)


def _target(aws: Connection, found: Endpoint, live: versions.Traffic, to: str | None) -> str:
    published = {version.number: version for version in versions.published(aws, found.function)}
    target = _number(list(published), found, live, to)
    if target != live.version:
        _check_settings(found, published[live.version], published[target])
    return target


def _check_settings(found: Endpoint, live: versions.Version, target: versions.Version) -> None:
    """Only the alias moves, so the settings around the version must be those it was made for."""
    guarded = stage_templates.requires_signature(found.template)
    now = {"--auth": "aws-iam" if guarded else live.auth, **live.settings}
    for option, value in {"--auth": target.auth, **target.settings}.items():
        if option == "--keys-parameter" and not value:
            # It reads no parameter, so a role that may read one does no harm.
            continue
        if value != now[option] or (option == "--auth" and (value == "aws-iam") != guarded):
            raise DeployError(
                f"A rollback changes only the version, so {option} must be the same. "
                f"Received: version {target.number} of {option} {value or 'none'}, now {now[option] or 'none'}. "
                f"Deploy its bundle again, with the {option} you want."
            )


def _number(there: list[str], found: Endpoint, live: versions.Traffic, to: str | None) -> str:
    if to is not None:
        if to not in there or (to == live.version and not live.others):
            raise UsageError(
                f"--to must be a published version that is not live. Received: {to}. "
                f"Choose one of: {', '.join(there)}; live is {live.version}."
            )
        return to
    if live.others:
        return live.version
    older = [
        number
        for number in stage_templates.history_of(found.template)
        if number in there and number != live.version
    ]
    if not older:
        raise DeployError(
            f"A rollback needs a version that was live before. Received: none before version {live.version} of "
            f"{found.name}. Deploy a bundle that works."
        )
    return older[-1]


def _tags(found: Endpoint) -> dict[str, str]:
    """The stack's own tags, since a change set replaces them."""
    return {key: value for key, value in found.stack.tags.items() if not key.startswith("aws:")} or {
        NAME_TAG: found.name
    }
