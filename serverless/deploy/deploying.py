"""From a bundle to an endpoint: the order of the steps, and the reasons for it.

::

    1 package   on this machine, and checked there; nothing remote before it is done
    2 lock      in the account's code bucket, per name; a second deployment is refused
    3 upload    the zip, under its hash; skipped if it is already there
    4 publish   a change set with the new version; the alias and everything around it unchanged
    5 self-test the new version, called by its number, replays the golden images on AWS
    6 canary    a second change set: some calls go to the new version, the alarms are watched
    7 shift     the last change set: the alias points to the new version, the old one is recorded;
                one change set before it if the endpoint closes, one after it if it opens

No call reaches a version before it has passed step 5. In a first deployment there is no old
version to stay on, so step 4 leaves out the alias, and with it the URL, the queue and the bucket
that call through it; if the self-test then fails, the stack is removed again.

**Who may call changes in step 7.** A version that was published for ``--auth aws-iam`` checks
nobody itself: behind an open URL it would serve everyone. So everything that callers and the old
version depend on stays unchanged until the new one has passed: the URL, the queue, the buckets,
and every permission of the role (traffic/templates.py). A URL that admits fewer callers is changed
before the alias moves, one that admits more after it. Both happen in change sets of their own,
because AWS chooses the order within one, also when it fails half-way. Events come and go with the
alias; permissions that only the old version needs go last. A rollback moves nothing but the alias,
so it refuses a version that was made for other callers, keys, buckets or results.

**Where the state is.** The alias says which version is live. The versions that were live before
are in the stack's template (``Metadata``), because it changes together with the alias. There is no
other state: a deployment that was interrupted anywhere finds out by itself, when it is started
again, how far it got, since each step does nothing if it is already done. In detail:

- interrupted before 4: the zip may be uploaded. Nothing else happened.
- interrupted while AWS works on the stack: AWS continues. The next run waits for it.
- interrupted after 4: the stack has the new version, and the alias points to the old one. The next
  run's change set is empty, and the self-test follows.
- interrupted after 6: the canary keeps its share until the next run, or ``snapship rollback``.
- interrupted within 7: the URL may be closed to callers of the live version, and is never open to
  callers that it does not check. The next run continues; another configuration starts from there.
- interrupted after 7: old versions were not deleted; the next change does it.

**The way back.** Old versions are kept (``DeletionPolicy`` in the template), so a rollback only
points the alias at one, at once and without an upload. After a failed self-test or an alarm, the
stack contains the new version but all calls go to the old one; the next deployment replaces it.
Versions and packages that nobody can roll back to are deleted after each rollout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import msgspec

from serverless.aws import Connection
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.config.errors import DeployError, StoppedError
from serverless.deploy.manage.status import check_owner
from serverless.deploy.package_to_deploy import PackageZip, zip_to_deploy
from serverless.deploy.stack import keys_parameter, lock, stack, versions, waiting
from serverless.deploy.stack.bucket import (
    CodeBucket,
    code_bucket,
    code_key,
    code_prefix,
    delete,
    ensure,
    objects,
    upload,
)
from serverless.deploy.stack.stack import Progress, Stack
from serverless.deploy.template import Code, template
from serverless.deploy.traffic import stage_templates
from serverless.deploy.traffic.canary_stages import (
    Context,
    deploy_first,
    deploy_next,
    update_stack,
    version_number,
)
from serverless.deploy.traffic.stage_templates import KEPT_VERSIONS

_MB = 1024 * 1024


class DeployResult(msgspec.Struct, frozen=True):
    """The result of a deployment.

    Attributes:
        name: The deployment's name.
        status: ``created``, ``updated`` or ``unchanged``.
        url: The endpoint's URL, with a trailing slash.
        version: The live version.
        previous: The version that was live before; None after the first deployment.
        region: The AWS region.
        account: The AWS account.
        auth: Who may call.
        curl: A command that classifies a photo.
        api_key: The secret of a key that was created; shown only this once.
    """

    name: str
    status: Literal["created", "updated", "unchanged"]
    url: str
    version: str
    previous: str | None
    region: str
    account: str
    auth: str
    curl: str
    api_key: str | None = None


def deploy(
    config: DeployConfig,
    aws: Connection,
    progress: Progress,
    show_key: Callable[[str], None] = lambda secret: None,
) -> DeployResult:
    """Creates or updates an endpoint. Safe to interrupt and to repeat.

    Args:
        config: What to deploy, and how.
        aws: The account and region.
        progress: Progress callback.
        show_key: Called with the secret of an API key as soon as it is created; it is stored nowhere.

    Raises:
        RolledBackError: The new version failed its self-test or set off an alarm; the live one stays live.
        LockedError: Somebody else is deploying the same name.
        StoppedError: Ctrl-C; the message says what AWS is doing and how to continue.
        SnapshipError: Packaging failed, or AWS refused something.
    """
    context = Context(config, aws, progress)
    name = config.deployment.name
    with _stoppable(context):
        # Before the slow part, so that missing credentials are reported at once.
        context.begin(f"Deploying {name} to {aws.region} of account {aws.account}")
        context.begin(f"Packaging for Python {config.deployment.python} on {config.deployment.arch}")
        with zip_to_deploy(config, progress) as zipped:
            bucket = code_bucket(aws, config.bucket)
            locks = code_bucket(aws)
            # The user's own first, as it may be missing.
            for place in (bucket, locks):
                if ensure(place):
                    progress(f"Created the bucket {place.name}: private, encrypted, versioned")
            with lock.held(locks, name, "snapship deploy") as context.lock:
                before = _settled(context)
                secret = _keys(context, show_key)
                _upload(context, bucket, zipped)
                code = Code(bucket.name, code_key(name, zipped.sha256), zipped.sha256)
                return _rolled_out(context, before, code, bucket, secret)


def _settled(context: Context) -> Stack | None:
    """The stack once AWS has finished with it; None if it must be created."""
    aws, name = context.aws, context.deployment.stack
    found = stack.describe(aws, name)
    if found is not None:
        check_owner(found, context.deployment.name)
        if found.busy:
            context.begin("Waiting for AWS to finish an interrupted deployment")
            waiting.settle_previous(aws, found, context.progress)
            found = stack.describe(aws, name)
    if found is not None and found.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        context.begin("Removing the remains of a failed first deployment")
        waiting.remove(aws, found, context.progress)
        return None
    if found is None or found.empty:
        return None
    if not found.usable:
        raise DeployError(
            f"A stack must be intact to be updated. Received: {found.status} {found.reason}. "
            "Fix it in the CloudFormation console, or run snapship destroy."
        )
    return found


def _keys(context: Context, show_key: Callable[[str], None]) -> str | None:
    parameter = context.deployment.keys_parameter
    if parameter is None:
        return None
    secret = keys_parameter.ensure(context.aws, parameter, context.deployment.name)
    if secret is not None:
        context.progress(f"Created an API key; its hash is in the parameter {parameter}")
        show_key(secret)
    return secret


def _upload(context: Context, bucket: CodeBucket, zipped: PackageZip) -> None:
    key = code_key(context.deployment.name, zipped.sha256)
    context.begin(f"Uploading {zipped.bytes / _MB:,.1f} MB to s3://{bucket.name}/{key}")
    sent = [0, 0]

    def watch(count: int) -> None:
        sent[0] += count
        tenth = sent[0] * 10 // max(1, zipped.bytes)
        if zipped.bytes > 10 * _MB and tenth > sent[1]:
            sent[1] = tenth
            context.progress(f"{tenth * 10} %")

    if not upload(bucket, key, zipped.path, watch):
        context.progress("Already uploaded")


def _rolled_out(
    context: Context, before: Stack | None, code: Code, bucket: CodeBucket, secret: str | None
) -> DeployResult:
    aws, deployment = context.aws, context.deployment
    final = template(deployment, code)
    current = stack.template_of(aws, deployment.stack) if before is not None else None
    live = versions.traffic(aws, deployment.stack) if before is not None else None
    history = stage_templates.history_of(current) if current is not None else ()
    if live is None or current is None:
        number = deploy_first(context, final, create=before is None)
        return _done(context, "created", number, None, secret)
    previous = history[-1] if history else None
    is_there = version_number(context, final) == live.version and not live.others
    if is_there and stage_templates.same(current, final):
        context.progress("No changes")
        return _done(context, "unchanged", live.version, previous, secret)
    if is_there:
        # The version stays; what changes is around it, e.g. alarms or who may call.
        context.begin("Updating the settings around the live version")
        update_stack(context, stage_templates.with_history(final, history))
        return _done(context, "updated", live.version, previous, secret)
    number = deploy_next(context, final, current, live, history)
    delete_unused(context, number, (*history, live.version), bucket)
    return _done(context, "updated", number, live.version, secret)


def _done(
    context: Context,
    status: Literal["created", "updated", "unchanged"],
    number: str,
    previous: str | None,
    secret: str | None,
) -> DeployResult:
    deployment = context.deployment
    found = stack.describe(context.aws, deployment.stack)
    url = found.outputs.get("Url", "") if found is not None else ""
    return DeployResult(
        name=deployment.name,
        status=status,
        url=url,
        version=number,
        previous=previous,
        region=context.aws.region,
        account=context.aws.account,
        auth=deployment.auth,
        curl=curl_command(url, deployment, context.aws.region),
        api_key=secret,
    )


@contextmanager
def _stoppable(context: Context) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        step = context.step[:1].lower() + context.step[1:]
        cure = (
            "Nothing was changed on AWS; run the same command again."
            if context.lock is None
            else "AWS finishes the step on its own; run the same command again to continue."
        )
        raise StoppedError(f"Interrupted while {step}. {cure}") from error


def curl_command(url: str, deployment: Deployment, region: str) -> str:
    """A command that classifies a photo.

    Args:
        url: The endpoint's URL.
        deployment: The deployment, which says who may call.
        region: The AWS region.
    """
    parts = ["curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg'"]
    if deployment.auth == "aws-iam":
        service = "lambda" if deployment.front == "url" else "execute-api"
        parts += [
            f"--aws-sigv4 aws:amz:{region}:{service}",
            '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
            '-H "x-amz-security-token: $AWS_SESSION_TOKEN"',
        ]
    elif deployment.auth == "api-key":
        parts.append('-H "x-api-key: $SNAPSHIP_API_KEY"')
    return " ".join([*parts, f"{url.rstrip('/')}/classify"])


def delete_unused(context: Context, live: str, before: Sequence[str], bucket: CodeBucket) -> None:
    """Deletes versions that were never live, or long ago, and the packages that only they used.

    Args:
        context: The deployment.
        live: The live version.
        before: Versions that were live before, oldest first.
        bucket: The bucket with the packages.
    """
    aws, name, function = context.aws, context.deployment.name, context.deployment.stack
    kept = {live, *before[-KEPT_VERSIONS:]}
    found = versions.published(aws, function)
    for version in found:
        if version.number not in kept and versions.delete(aws, function, version.number):
            context.progress(f"Deleted version {version.number}, which is no longer needed")
    needed = {code_key(name, version.code_sha256) for version in found if version.number in kept}
    if needed:
        old = [entry for entry in objects(bucket, code_prefix(name)) if entry["Key"] not in needed]
        delete(bucket, old)
