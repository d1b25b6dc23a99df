"""``snapship deploy --plan``: what a deployment would change, and nothing changed."""

from __future__ import annotations

import msgspec

from serverless.aws import Connection
from serverless.deploy import changes, keys_parameter, lock, rollout, stack
from serverless.deploy.bucket import code_bucket, code_key, exists
from serverless.deploy.deploy_config import DeployConfig
from serverless.deploy.locating import owned
from serverless.deploy.readymade import contents_sha256, ready
from serverless.deploy.stack import Say, Template
from serverless.deploy.template import Code, describe, template
from serverless.deploy.template.tagging import tags


class Step(msgspec.Struct, frozen=True):
    """One thing that a deployment would do.

    Attributes:
        action: ``Add``, ``Modify``, ``Remove`` and such.
        resource: Its name in the template, or what it is.
        type: CloudFormation's type, or the service.
        purpose: What it is for, or what happens to it.
    """

    action: str
    resource: str
    type: str
    purpose: str


class Plan(msgspec.Struct, frozen=True):
    """What a deployment would do.

    Attributes:
        name: The deployment's.
        stack: Its stack.
        exists: Whether the stack is there.
        steps: In order; none when nothing would change.
        template: The whole template as it would be.
    """

    name: str
    stack: str
    exists: bool
    steps: tuple[Step, ...]
    template: Template


def plan(config: DeployConfig, aws: Connection, say: Say) -> Plan:
    """Asks AWS what a deployment would change; the change set is deleted again.

    Args:
        config: What and how.
        aws: Where.
        say: Told of every step.

    Raises:
        SnapshipError: What packaging and AWS may refuse.
    """
    deployment = config.deployment
    say(f"Planning {deployment.name} in {aws.region} of account {aws.account}")
    bucket = code_bucket(aws, config.bucket)
    with ready(config.bundle, config.package, config.artifact, deployment, say) as zipped:
        digest = zipped.sha256
    final = template(deployment, Code(bucket.name, code_key(deployment.name, digest), digest))
    found = stack.describe(aws, deployment.stack)
    if found is not None:
        owned(found, deployment.name)
    create = found is None or found.empty or found.status == "ROLLBACK_COMPLETE"
    steps = _beside(config, aws)
    if found is not None and found.status == "ROLLBACK_COMPLETE":
        # AWS takes no change set for it; deploy removes it first.
        steps += [Step("Add", row.resource, row.type, row.purpose) for row in describe(final)]
    elif create or not rollout.same(stack.template_of(aws, deployment.stack), final):
        purposes = {row.resource: row.purpose for row in describe(final)}
        change = changes.propose(aws, deployment.stack, final, tags(deployment), create=create)
        changes.discard(aws, change)
        steps += [
            Step(
                entry.action,
                entry.logical_id,
                entry.type,
                purposes.get(entry.logical_id, _leaving(entry.type)),
            )
            for entry in change.changes
        ]
    return Plan(deployment.name, deployment.stack, not create, tuple(steps), final)


def offline_template(config: DeployConfig, say: Say) -> Template:
    """The template alone, for SAM, CDK and Terraform; asks nothing of AWS, and packages nothing.

    Of a bundle without a package it names the version by what that is made of, and leaves the zip's
    hash to a parameter.

    Args:
        config: What and how; without ``bucket``, the template's parameters say where the code is.
        say: Told what is being looked at.

    Raises:
        UsageError: There is neither a bundle nor a zip, or the zip is for another function.
        SnapshipError: The bundle is damaged, or holds nothing that may be deployed.
    """
    deployment = config.deployment
    if config.package is None:
        made_of = contents_sha256(config.bundle, config.artifact)
        return template(deployment, Code(config.bucket, None, made_of, zipped=False))
    with ready(config.bundle, config.package, config.artifact, deployment, say) as zipped:
        key = None if config.bucket is None else code_key(deployment.name, zipped.sha256)
        return template(deployment, Code(config.bucket, key, zipped.sha256))


def _beside(config: DeployConfig, aws: Connection) -> list[Step]:
    """What lies beside the stack."""
    deployment, steps = config.deployment, []
    locks = lock.bucket_of_locks(aws)
    if not exists(locks):
        holds = "the packages and the lock" if config.bucket in (None, locks.name) else "the lock"
        steps.append(Step("Add", locks.name, "S3 bucket", f"holds {holds}; private, encrypted, versioned"))
    parameter = deployment.keys_parameter
    ours = parameter == keys_parameter.parameter_of(deployment.name)
    if parameter is not None and ours and not keys_parameter.exists(aws, parameter):
        steps.append(
            Step("Add", parameter, "SSM parameter", "salted hashes of the API keys; one key is made")
        )
    return steps


def _leaving(type: str) -> str:
    return "stays, to go back to" if type == "AWS::Lambda::Version" else "no longer needed"
