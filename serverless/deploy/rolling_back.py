"""Back to the version before: the alias at it, in one change set, without packaging or uploading."""

from __future__ import annotations

import msgspec

from edge_runtime.errors import UsageError
from serverless.aws import Connection
from serverless.deploy import changes, handover, lock, rollout, versions, waiting
from serverless.deploy.bucket import ensure
from serverless.deploy.config import NAME_TAG
from serverless.deploy.errors import DeployError
from serverless.deploy.locating import Located, locate
from serverless.deploy.stack import Say


class WentBack(msgspec.Struct, frozen=True):
    """What a roll-back came to.

    Attributes:
        name: The deployment's.
        version: The version that is live now.
        left: The version that no longer gets calls.
        url: The endpoint's address.
    """

    name: str
    version: str
    left: str
    url: str


def rollback(name: str, aws: Connection, say: Say, *, to: str | None = None) -> WentBack:
    """Sends all calls to an older version.

    Args:
        name: The deployment's.
        aws: Where.
        say: Told of every step.
        to: A version's number; None takes the one that was live before, or ends a canary.

    Raises:
        UsageError: There is no such version to go to.
        DeployError: There is none to go back to, or it was made for other callers or events.
        BusyError: Somebody is deploying the name.
    """
    found = locate(aws, name)
    locks = lock.bucket_of_locks(aws)
    ensure(locks)
    with lock.held(locks, name, "snapship rollback"):
        if found.stack.busy:
            say(f"Waiting for AWS, which is still at {found.stack.status}")
            waiting.settle(aws, found.stack.name, say)
        # Again: the template may have changed until the lock was ours.
        found = locate(aws, name)
        live = versions.traffic(aws, found.function)
        if live is None:
            raise DeployError(
                f"A roll-back needs a version that is live. Received: none of {name}. Deploy again."
            )
        target = _target(aws, found, live, to)
        left = next(iter(live.others), live.version) if target == live.version else live.version
        say(f"Sending all calls to version {target}; version {left} gets none")
        before = rollout.live_before(found.template)
        older = before[: before.index(target)] if target in before else before
        wanted = rollout.recorded(rollout.pointed(found.template, target), older)
        change = changes.propose(aws, found.stack.name, wanted, _tags(found), create=False)
        changes.apply(aws, change, say)
    return WentBack(name, target, left, found.url)


def _target(aws: Connection, found: Located, live: versions.Traffic, to: str | None) -> str:
    published = {version.number: version for version in versions.published(aws, found.function)}
    target = _number(list(published), found, live, to)
    if target != live.version:
        _check_around(found, published[live.version], published[target])
    return target


def _check_around(found: Located, live: versions.Version, target: versions.Version) -> None:
    """Only the alias moves: what stands around the version must be what it was made for."""
    guarded = handover.signed(found.template)
    now = {"--auth": "aws-iam" if guarded else live.auth, **live.around}
    for option, value in {"--auth": target.auth, **target.around}.items():
        if option == "--keys-parameter" and not value:
            # It reads none, so a role that may read one is no trouble.
            continue
        if value != now[option] or (option == "--auth" and (value == "aws-iam") != guarded):
            raise DeployError(
                f"A roll-back leaves all but the version as it is, so {option} must be the same. "
                f"Received: version {target.number} of {option} {value or 'none'}, now {now[option] or 'none'}. "
                f"Deploy its bundle again, with the {option} that it shall have."
            )


def _number(there: list[str], found: Located, live: versions.Traffic, to: str | None) -> str:
    if to is not None:
        if to not in there or (to == live.version and not live.others):
            raise UsageError(
                f"--to must be a published version that is not live. Received: {to}. "
                f"There are: {', '.join(there)}; live is {live.version}."
            )
        return to
    if live.others:
        return live.version
    older = [
        number for number in rollout.live_before(found.template) if number in there and number != live.version
    ]
    if not older:
        raise DeployError(
            f"A roll-back needs a version that was live before. Received: none before version {live.version} of "
            f"{found.name}. Deploy a bundle that works."
        )
    return older[-1]


def _tags(found: Located) -> dict[str, str]:
    """The stack's own, as a change set replaces them."""
    return {key: value for key, value in found.stack.tags.items() if not key.startswith("aws:")} or {
        NAME_TAG: found.name
    }
