"""From a bundle to an endpoint: the order in which things happen, and why it is this one.

::

    1 package   on this machine, checked there; nothing remote until it is done
    2 lock      in the account's code bucket: who deploys this name; a second one is told
    3 upload    the zip, under its hash; skipped where it is there
    4 publish   a change set with the new version; the alias and all around it as they were
    5 self-test the new version, by its number, replays the golden images on AWS
    6 canary    a second change set: some calls go to the new version, the alarms are watched
    7 shift     the last change set: the alias at the new version, the old one written down;
                one before it if the address closes, one after it if it opens

No call reaches a version before step 5 has passed. The first time there is no old version to
stay at, so step 4 leaves the alias out, and with it the address, the queue and the bucket that
call through it; a self-test that fails then takes the stack away again.

**Who may call changes in step 7.** A version that was published for ``--auth aws-iam`` checks
nobody by itself: behind an address that is open it would serve everyone. So what callers and
the old version meet stays as it is until the new one has passed: the address, the queue, the
buckets, and every permission of the role (handover.py). An address that lets in fewer is
changed before the alias moves, one that lets in more after it, in change sets of their own,
since what AWS does when one fails half-way has its own order. Events come and go with the
alias; permissions that only the old version needs go last. A roll-back moves the alias alone,
so it refuses a version that was made for other callers, keys, buckets or results.

**Where the truth is.** What is live is what the alias says. Which versions were live before is
in the stack's template (``Metadata``), since it changes with the alias and never without. There
is no other state: a deployment that was cut off anywhere, and is started again, finds out by
itself how far it came, since each step does nothing where it was done. In full:

- cut off before 4: the zip may be there. Nothing else happened.
- cut off while AWS works on a stack: it goes on by itself. The next start waits for it.
- cut off after 4: the stack has the new version and the alias at the old one. The change set of
  the next start is empty, and the self-test comes.
- cut off after 6: the canary keeps its share until the next start, or ``snapship rollback``.
- cut off within 7: the address may be closed for callers of the version that is live, and is never
  open to those it does not check. The next start goes on; another configuration starts from there.
- cut off after 7: old versions were not tidied up; the next change does it.

**The way back.** Old versions stay (``DeletionPolicy`` in the template), so going back is
pointing the alias at one, at once and without uploading. A failed self-test or alarm leaves the
stack with the new version in it and all calls at the old one; the next deployment replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from serverless.aws import Connection
from serverless.deploy import keys_parameter, lock, rollout, stack, versions, waiting
from serverless.deploy.bucket import CodeBucket, code_bucket, code_key, ensure, upload
from serverless.deploy.deploy_config import DeployConfig
from serverless.deploy.deployed import Deployed, curl_line
from serverless.deploy.errors import DeployError, StoppedError
from serverless.deploy.locating import owned
from serverless.deploy.readymade import Zip, ready
from serverless.deploy.stack import Say, Stack
from serverless.deploy.stages import first, following, number_of, to
from serverless.deploy.template import Code, template
from serverless.deploy.tidying import tidy
from serverless.deploy.work import Work

_MB = 1024 * 1024


def deploy(
    config: DeployConfig, aws: Connection, say: Say, tell_key: Callable[[str], None] = lambda secret: None
) -> Deployed:
    """Brings an endpoint to what it shall be. Safe to interrupt and to repeat.

    Args:
        config: What and how.
        aws: Where.
        say: Told of every step.
        tell_key: Told the secret of a key at the moment when it is made, since it is kept nowhere.

    Raises:
        RolledBackError: The new version failed its self-test or raised an alarm; what was live stays so.
        BusyError: Somebody else is deploying the same name.
        StoppedError: Ctrl-C; the message says what AWS is doing and how to go on.
        SnapshipError: What packaging and AWS may refuse.
    """
    work = Work(config, aws, say)
    name = config.deployment.name
    with _stoppable(work):
        # Before the slow part: who has no credentials is told at once.
        work.begin(f"Deploying {name} to {aws.region} of account {aws.account}")
        work.begin(f"Packaging for Python {config.deployment.python} on {config.deployment.arch}")
        with ready(config.bundle, config.package, config.artifact, config.deployment, say) as zipped:
            bucket = code_bucket(aws, config.bucket)
            locks = lock.bucket_of_locks(aws)
            # The user's own first, which may not be there.
            for place in (bucket, locks):
                if ensure(place):
                    say(f"Made the bucket {place.name}: private, encrypted, versioned")
            with lock.held(locks, name, "snapship deploy") as work.lock:
                before = _settled(work)
                secret = _keys(work, tell_key)
                _upload(work, bucket, zipped)
                code = Code(bucket.name, code_key(name, zipped.sha256), zipped.sha256)
                return _rolled_out(work, before, code, bucket, secret)


def _settled(work: Work) -> Stack | None:
    """The stack as it is when nobody works on it; None where it has to be made."""
    aws, name = work.aws, work.deployment.stack
    found = stack.describe(aws, name)
    if found is not None:
        owned(found, work.deployment.name)
    if found is not None and found.busy:
        # We hold the lock: what AWS is doing is left from a deployment that was cut off.
        work.begin(f"Waiting for AWS, which is still at {found.status}")
        try:
            waiting.settle(aws, name, work.say)
        except DeployError as error:
            work.say(f"That came to nothing: {error}")
        found = stack.describe(aws, name)
    if found is not None and found.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        work.begin("Removing what is left of a first deployment that failed")
        waiting.remove(aws, found, work.say)
        return None
    if found is None or found.empty:
        return None
    if not found.usable:
        raise DeployError(
            f"A stack must be whole to be changed. Received: {found.status} {found.reason}. "
            "Mend it in the console of CloudFormation, or run snapship destroy."
        )
    return found


def _keys(work: Work, tell_key: Callable[[str], None]) -> str | None:
    parameter = work.deployment.keys_parameter
    if parameter is None:
        return None
    secret = keys_parameter.ensure(work.aws, parameter, work.deployment.name)
    if secret is not None:
        work.say(f"Made an API key; its hash is in the parameter {parameter}")
        tell_key(secret)
    return secret


def _upload(work: Work, bucket: CodeBucket, zipped: Zip) -> None:
    key = code_key(work.deployment.name, zipped.sha256)
    work.begin(f"Uploading {zipped.bytes / _MB:,.1f} MB to s3://{bucket.name}/{key}")
    sent = [0, 0]

    def watch(count: int) -> None:
        sent[0] += count
        tenth = sent[0] * 10 // max(1, zipped.bytes)
        if zipped.bytes > 10 * _MB and tenth > sent[1]:
            sent[1] = tenth
            work.say(f"{tenth * 10} %")

    if not upload(bucket, key, zipped.path, watch):
        work.say("It is there already")


def _rolled_out(
    work: Work, before: Stack | None, code: Code, bucket: CodeBucket, secret: str | None
) -> Deployed:
    aws, deployment = work.aws, work.deployment
    final = template(deployment, code)
    current = stack.template_of(aws, deployment.stack) if before is not None else None
    live = versions.traffic(aws, deployment.stack) if before is not None else None
    history = rollout.live_before(current) if current is not None else ()
    if live is None or current is None:
        number = first(work, final, create=before is None)
        return _done(work, "created", number, None, secret)
    previous = history[-1] if history else None
    is_there = number_of(work, final) == live.version and not live.others
    if is_there and rollout.same(current, final):
        work.say("Nothing to change")
        return _done(work, "unchanged", live.version, previous, secret)
    if is_there:
        # The version stays; what changes is around it, such as alarms or who may call.
        work.begin("Changing what is around the version that is live")
        to(work, rollout.recorded(final, history))
        return _done(work, "updated", live.version, previous, secret)
    number = following(work, final, current, live, history)
    tidy(aws, deployment, number, (*history, live.version), bucket, work.say)
    return _done(work, "updated", number, live.version, secret)


def _done(
    work: Work,
    status: Literal["created", "updated", "unchanged"],
    number: str,
    previous: str | None,
    secret: str | None,
) -> Deployed:
    deployment = work.deployment
    found = stack.describe(work.aws, deployment.stack)
    url = found.outputs.get("Url", "") if found is not None else ""
    return Deployed(
        name=deployment.name,
        status=status,
        url=url,
        version=number,
        previous=previous,
        region=work.aws.region,
        account=work.aws.account,
        auth=deployment.auth,
        curl=curl_line(url, deployment, work.aws.region),
        api_key=secret,
    )


@contextmanager
def _stoppable(work: Work) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        doing = work.doing[:1].lower() + work.doing[1:]
        said = (
            "Nothing was changed on AWS; run the same command again."
            if work.lock is None
            else "AWS ends by itself what it was asked for; run the same command again to go on from there."
        )
        raise StoppedError(f"Interrupted. What was under way: {doing}. {said}") from error
