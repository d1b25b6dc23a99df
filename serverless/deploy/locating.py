"""Looks up the deployment of a name in an account and region."""

from __future__ import annotations

from dataclasses import dataclass

from serverless.aws import Connection, MissingResourceError
from serverless.deploy import rollout, stack
from serverless.deploy.bucket import CodeBucket, code_bucket
from serverless.deploy.config import NAME_TAG, Deployment
from serverless.deploy.errors import DeployError
from serverless.deploy.stack import Stack, Template


@dataclass(frozen=True)
class Endpoint:
    """A deployment that exists.

    Attributes:
        name: Its name.
        stack: Its stack.
        template: The stack's template.
    """

    name: str
    stack: Stack
    template: Template

    @property
    def function(self) -> str:
        """The function's name."""
        return self.stack.name

    @property
    def url(self) -> str:
        """The endpoint's URL with a trailing slash; empty before it has one."""
        return self.stack.outputs.get("Url", "")


def look_up(aws: Connection, name: str) -> Endpoint:
    """Finds a deployment.

    Args:
        aws: The account and region.
        name: The deployment's name.

    Raises:
        UsageError: The name is invalid.
        MissingResourceError: There is no such deployment.
        DeployError: The stack of that name was not made by snapship.
    """
    stack_name = Deployment(name).stack
    found = stack.describe(aws, stack_name)
    if found is None or found.empty:
        raise MissingResourceError(
            f"The deployment must exist. Received: {name}, which is not in {aws.region} of account {aws.account}. "
            "Pass --region, list all deployments (snapship status), or create it (snapship deploy)."
        )
    check_owner(found, name)
    return Endpoint(name, found, stack.template_of(aws, stack_name))


def code_bucket_of(aws: Connection, template: Template) -> CodeBucket:
    """The bucket with a template's code: snapship's own or the user's.

    Args:
        aws: The account and region.
        template: The template of a stack.
    """
    own, named = code_bucket(aws), rollout.code_bucket_name(template)
    return own if named in ("", own.name) else code_bucket(aws, named)


def check_owner(found: Stack, name: str) -> None:
    """Refuses a stack that snapship did not make.

    Args:
        found: The stack.
        name: The deployment's name.

    Raises:
        DeployError: It does not carry the tag.
    """
    if found.tags.get(NAME_TAG) != name and not found.empty:
        raise DeployError(
            f"The stack {found.name} must be made by snapship. Received: one without the tag {NAME_TAG}={name}. "
            "Choose another name."
        )
