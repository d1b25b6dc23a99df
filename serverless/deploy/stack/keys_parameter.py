"""The SSM parameter with the hashes of the API keys.

CloudFormation cannot create an encrypted parameter, so it is not part of the stack.
"""

from __future__ import annotations

from serverless.aws import Connection, Ignoring, MissingResourceError, answered
from serverless.deploy.config.deployment_config import NAME_TAG

FIRST_KEY = "first"
"""Name of the key that deploy creates if there is none."""


def parameter_of(name: str) -> str:
    """The default parameter for a deployment's keys.

    Args:
        name: The deployment's name.
    """
    return f"/snapship/{name}/keys"


def ensure(aws: Connection, parameter: str, name: str) -> str | None:
    """Creates the default parameter, with a first key, if it does not exist.

    Any other parameter belongs to the user: destroy does not remove it, so it is not created either.

    Args:
        aws: The account and region.
        parameter: Its name.
        name: The deployment's name.

    Returns:
        The secret of the key, which is stored nowhere; None if the parameter already existed.

    Raises:
        MissingResourceError: The user's own parameter does not exist.
    """
    if parameter != parameter_of(name):
        if not exists(aws, parameter):
            raise MissingResourceError(
                f"--keys-parameter must name an SSM parameter in {aws.region}. Received: {parameter}, which does not "
                "exist. Create it with an entry from: snapship keys new NAME, or leave the option out."
            )
        return None
    from serverless.app.core.keys import new_key

    secret, entry = new_key(FIRST_KEY)
    with answered(f"Writing the parameter {parameter}"), Ignoring("ParameterAlreadyExists"):
        aws.client("ssm").put_parameter(
            Name=parameter,
            Description=f"snapship: salted hashes of the API keys of {name}",
            Value=entry,
            Type="SecureString",
            Tags=[{"Key": NAME_TAG, "Value": name}],
        )
        return secret
    return None


def exists(aws: Connection, parameter: str) -> bool:
    """Whether a parameter exists; does not read it.

    Args:
        aws: The account and region.
        parameter: Its name.
    """
    with answered(f"Looking up the parameter {parameter}"):
        found = aws.client("ssm").describe_parameters(
            ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": [parameter]}]
        )
    return bool(found["Parameters"])


def remove(aws: Connection, parameter: str) -> None:
    """Deletes a parameter, if it exists.

    Args:
        aws: The account and region.
        parameter: Its name.
    """
    with answered(f"Deleting the parameter {parameter}"), Ignoring("ParameterNotFound"):
        aws.client("ssm").delete_parameter(Name=parameter)
