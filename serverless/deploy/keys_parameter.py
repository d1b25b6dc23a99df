"""The SSM parameter with the hashes of the API keys.

CloudFormation cannot make an encrypted one, so it stands beside the stack and not in it.
"""

from __future__ import annotations

from serverless.aws import Connection, MissingResourceError, answered, code_of
from serverless.deploy.config import NAME_TAG

FIRST_KEY = "first"
"""Name of the key that deploy makes where there is none."""


def parameter_of(name: str) -> str:
    """Where the keys of a deployment are, unless it says otherwise.

    Args:
        name: The deployment's.
    """
    return f"/snapship/{name}/keys"


def ensure(aws: Connection, parameter: str, name: str) -> str | None:
    """Makes a first key where there is none, at the place that :func:`parameter_of` names.

    A parameter at another place is the user's own: destroy leaves it, so it is not made either.

    Args:
        aws: Where.
        parameter: Its name.
        name: The deployment's.

    Returns:
        The secret of the key, which is kept nowhere; None where the parameter was there.

    Raises:
        MissingResourceError: The user's own parameter is not there.
    """
    if parameter != parameter_of(name):
        if not exists(aws, parameter):
            raise MissingResourceError(
                f"--keys-parameter must name a parameter of SSM in {aws.region}. Received: {parameter}, which is not "
                "there. Make it with an entry of: snapship keys new NAME, or leave the option out."
            )
        return None
    from serverless.app.keys import new_key

    ssm = aws.client("ssm")
    secret, entry = new_key(FIRST_KEY)
    with answered(f"Writing the parameter {parameter}"):
        try:
            ssm.put_parameter(
                Name=parameter,
                Description=f"snapship: salted hashes of the API keys of {name}",
                Value=entry,
                Type="SecureString",
                Tags=[{"Key": NAME_TAG, "Value": name}],
            )
        except ssm.exceptions.ClientError as error:
            if code_of(error) != "ParameterAlreadyExists":
                raise
            return None
    return secret


def exists(aws: Connection, parameter: str) -> bool:
    """Whether there is such a parameter; does not read it.

    Args:
        aws: Where.
        parameter: Its name.
    """
    with answered(f"Looking for the parameter {parameter}"):
        found = aws.client("ssm").describe_parameters(
            ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": [parameter]}]
        )
    return bool(found["Parameters"])


def remove(aws: Connection, parameter: str) -> None:
    """Deletes it, if it is there.

    Args:
        aws: Where.
        parameter: Its name.
    """
    ssm = aws.client("ssm")
    with answered(f"Deleting the parameter {parameter}"):
        try:
            ssm.delete_parameter(Name=parameter)
        except ssm.exceptions.ClientError as error:
            if code_of(error) != "ParameterNotFound":
                raise
