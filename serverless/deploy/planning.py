"""``snapship deploy --plan``: what a deployment would change, without changing anything."""

from __future__ import annotations

import msgspec

from serverless.aws import Connection
from serverless.deploy.config.deployment_config import DeployConfig
from serverless.deploy.manage.status import check_owner
from serverless.deploy.package_to_deploy import contents_sha256, zip_to_deploy
from serverless.deploy.stack import changes, keys_parameter, stack
from serverless.deploy.stack.bucket import code_bucket, code_key, exists
from serverless.deploy.stack.stack import Progress, Template
from serverless.deploy.template import Code, purpose, template
from serverless.deploy.template.building import tags
from serverless.deploy.traffic import stage_templates


class PlanStep(msgspec.Struct, frozen=True):
    """One change that a deployment would make.

    Attributes:
        action: ``Add``, ``Modify``, ``Remove`` etc.
        resource: Its name in the template, or what it is.
        type: Its CloudFormation type, or the service.
        purpose: What it is for, or what happens to it.
    """

    action: str
    resource: str
    type: str
    purpose: str


class Plan(msgspec.Struct, frozen=True):
    """What a deployment would do.

    Attributes:
        name: The deployment's name.
        stack: The name of its stack.
        exists: Whether the stack exists.
        steps: The changes, in order; empty if nothing would change.
        template: The resulting template.
    """

    name: str
    stack: str
    exists: bool
    steps: tuple[PlanStep, ...]
    template: Template


def plan(config: DeployConfig, aws: Connection, progress: Progress) -> Plan:
    """Asks AWS what a deployment would change; the change set is deleted again.

    Args:
        config: What to deploy, and how.
        aws: The account and region.
        progress: Progress callback.

    Raises:
        SnapshipError: Packaging failed, or AWS refused the template.
    """
    deployment = config.deployment
    progress(f"Planning {deployment.name} in {aws.region} of account {aws.account}")
    bucket = code_bucket(aws, config.bucket)
    with zip_to_deploy(config, progress) as zipped:
        digest = zipped.sha256
    final = template(deployment, Code(bucket.name, code_key(deployment.name, digest), digest))
    found = stack.describe(aws, deployment.stack)
    if found is not None:
        check_owner(found, deployment.name)
    create = found is None or found.empty or found.status == "ROLLBACK_COMPLETE"
    steps = _outside_the_stack(config, aws)
    if found is not None and found.status == "ROLLBACK_COMPLETE":
        # AWS accepts no change set for it; deploy removes it first.
        steps += [
            PlanStep("Add", name, entry["Type"], purpose(name)) for name, entry in final["Resources"].items()
        ]
    elif create or not stage_templates.same(stack.template_of(aws, deployment.stack), final):
        change = changes.propose(aws, deployment.stack, final, tags(deployment), create=create)
        changes.discard(aws, change)
        steps += [
            PlanStep(
                entry.action,
                entry.logical_id,
                entry.type,
                purpose(entry.logical_id) if entry.logical_id in final["Resources"] else _leaving(entry.type),
            )
            for entry in change.changes
        ]
    return Plan(deployment.name, deployment.stack, not create, tuple(steps), final)


def offline_template(config: DeployConfig, progress: Progress) -> Template:
    """The template alone, for SAM, CDK and Terraform; calls no AWS service and packages nothing.

    For a bundle without a package, the version is named after the package's contents, and a
    parameter takes the zip's hash.

    Args:
        config: What to deploy; without ``bucket``, parameters of the template say where the code is.
        progress: Progress callback.

    Raises:
        UsageError: There is neither a bundle nor a zip, or the zip is for another function.
        SnapshipError: The bundle is damaged, or contains nothing that may be deployed.
    """
    deployment = config.deployment
    if config.package is None:
        contents = contents_sha256(config.bundle, config.artifact)
        return template(deployment, Code(config.bucket, None, contents, zipped=False))
    with zip_to_deploy(config, progress) as zipped:
        key = None if config.bucket is None else code_key(deployment.name, zipped.sha256)
        return template(deployment, Code(config.bucket, key, zipped.sha256))


def _outside_the_stack(config: DeployConfig, aws: Connection) -> list[PlanStep]:
    deployment, steps = config.deployment, []
    locks = code_bucket(aws)
    if not exists(locks):
        holds = "the packages and the lock" if config.bucket in (None, locks.name) else "the lock"
        steps.append(
            PlanStep("Add", locks.name, "S3 bucket", f"holds {holds}; private, encrypted, versioned")
        )
    parameter = deployment.keys_parameter
    ours = parameter == keys_parameter.parameter_of(deployment.name)
    if parameter is not None and ours and not keys_parameter.exists(aws, parameter):
        steps.append(
            PlanStep("Add", parameter, "SSM parameter", "salted hashes of the API keys, with a first key")
        )
    return steps


def _leaving(type: str) -> str:
    return "kept for rollback" if type == "AWS::Lambda::Version" else "no longer needed"
