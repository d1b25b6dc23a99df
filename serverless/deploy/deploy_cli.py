"""``snapship deploy``: from a bundle to an endpoint on AWS."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from edge_runtime.common.errors import SnapshipError, UsageError
from edge_runtime.common.temporary import temporary_files_together
from edge_runtime.common.terminal import Column, GroupedCommand, print_table
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.config.rules import Auth, Front
from serverless.deploy.manage import cli_options
from serverless.deploy.manage.cli_options import console

if TYPE_CHECKING:
    from serverless.aws import Connection

OPEN_TO_ALL = (
    "WARNING: --auth none: anyone who knows the URL can call it, and you pay for every call. "
    "Consider --auth api-key, and --reserved to limit the cost."
)


def _share(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Reads ``10%`` or ``0.1``."""
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,4})?|\.[0-9]{1,4})(%?)", value.strip(), re.ASCII)
    if found is None:
        raise click.BadParameter(
            f"The share must be a percentage or a fraction. Received: {value!r}. Pass --canary 10% or 0.1."
        )
    return float(found[1]) / 100 if found[2] else float(found[1])


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Reads ``NAME=VALUE``."""
    wrong = [value for value in values if not value.partition("=")[0] or "=" not in value]
    if wrong:
        raise click.BadParameter(
            f"The value must have the form NAME=VALUE. Received: {wrong[0]!r}. "
            f"Pass {param.opts[0]} NAME=VALUE, once per pair."
        )
    return {name: text for name, _, text in (value.partition("=") for value in values)}


# Each option is passed on to the field of its name, of Deployment or DeployConfig.
@click.command(
    cls=GroupedCommand,
    groups={
        "Endpoint": "--name --front --env --tag",
        "Capacity": "--memory --timeout --storage --reserved --provisioned --snapstart --warm-up-minutes",
        "Access": "--auth --keys-parameter --cors-origin --permissions-boundary",
        "Events": "--input-bucket --bucket-exists --results --queue",
        "Rollout": "--canary --canary-minutes",
        "Monitoring": "--alarm-p99-ms --alarm-topic --retention-days",
        "Packaging": "--package --artifact --arch --python --bucket",
        "AWS account": "--region --profile",
        "Preview and output": "--plan --template-only --json",
    },
)
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the endpoint: lower-case letters, digits, hyphens.")
@click.option(
    "--plan", "only_plan", is_flag=True, help="Show the template and the planned changes; change nothing."
)
@click.option(
    "--template-only",
    is_flag=True,
    help="Print the CloudFormation template; needs neither AWS nor a package.",
)
@click.option(
    "--package", type=click.Path(path_type=Path), metavar="ZIP", help="Deploy a zip made by snapship package."
)
@click.option("--artifact", metavar="KIND", help="E.g. tflite-int8; default: the best one for the cloud.")
@cli_options.target
@click.option(
    "--memory", "memory_mb", type=int, default=Deployment.memory_mb, show_default=True, metavar="MB",
    help="1769 MB give one vCPU.",
)  # fmt: skip
@click.option(
    "--timeout", "timeout_s", type=int, default=Deployment.timeout_s, show_default=True, metavar="S",
    help="Maximum duration of a call, in seconds.",
)  # fmt: skip
@click.option(
    "--storage", "storage_mb", type=int, default=Deployment.storage_mb, show_default=True, metavar="MB",
    help="Size of /tmp.",
)  # fmt: skip
@click.option(
    "--auth", type=click.Choice(get_args(Auth)), default=Deployment.auth, show_default=True,
    help="Who may call: AWS-signed requests, requests with an API key, or anyone.",
)  # fmt: skip
@click.option(
    "--keys-parameter", metavar="NAME",
    help="SSM parameter with the hashes of the API keys; default: /snapship/NAME/keys.",
)  # fmt: skip
@click.option(
    "--cors-origin", "cors_origins", multiple=True, metavar="ORIGIN",
    help="Origin allowed to call from a browser; repeatable.",
)  # fmt: skip
@click.option(
    "--front", type=click.Choice(get_args(Front)), default=Deployment.front, show_default=True,
    help="What serves the URL: a function URL, or an HTTP API of API Gateway.",
)  # fmt: skip
@click.option(
    "--canary", callback=_share, default="0%", metavar="SHARE",
    help="Share of the calls that a new version gets first, e.g. 10%.",
)  # fmt: skip
@click.option(
    "--canary-minutes", type=float, default=DeployConfig.canary_minutes, show_default=True, metavar="N",
    help="How long to watch the alarms during a canary.",
)  # fmt: skip
@click.option(
    "--reserved", "reserved_concurrency", type=int, metavar="N", help="Maximum number of concurrent calls."
)
@click.option(
    "--provisioned", "provisioned_concurrency", type=int, metavar="N",
    help="Number of instances kept ready; billed while idle.",
)  # fmt: skip
@click.option("--snapstart", is_flag=True, help="Start from a snapshot of the initialized function.")
@click.option(
    "--input-bucket", "--s3-trigger", "input_bucket", metavar="BUCKET",
    help="Classify new images in this bucket.",
)  # fmt: skip
@click.option(
    "--bucket-exists", is_flag=True, help="The input bucket already exists and sends events to EventBridge."
)
@click.option(
    "--results", metavar="s3://BUCKET/PREFIX/",
    help="Where to write the results of events; default: KEY.json next to the image.",
)  # fmt: skip
@click.option("--queue", is_flag=True, help="Also read images from an SQS queue, with a dead-letter queue.")
@click.option("--warm-up-minutes", type=int, metavar="N", help="Call the function every N minutes.")
@click.option(
    "--retention-days", type=int, default=Deployment.retention_days, show_default=True, metavar="N",
    help="Log retention in days.",
)  # fmt: skip
@click.option(
    "--alarm-p99-ms", type=int, metavar="MS",
    help="Alarm when p99 latency exceeds this; default: a tenth of the timeout.",
)  # fmt: skip
@click.option("--alarm-topic", metavar="ARN", help="SNS topic to notify of alarms.")
@click.option("--permissions-boundary", metavar="ARN", help="Permissions boundary of the function's role.")
@click.option(
    "--env", "environment", callback=_pairs, multiple=True, metavar="NAME=VALUE",
    help="Environment variable of the function; repeatable.",
)  # fmt: skip
@click.option(
    "--tag", "tags", callback=_pairs, multiple=True, metavar="NAME=VALUE",
    help="Tag of every resource; repeatable.",
)  # fmt: skip
@click.option(
    "--bucket", metavar="CODE_BUCKET", help="Your own bucket for the code; default: snapship creates one."
)
@cli_options.where
@cli_options.as_json
@temporary_files_together()
def deploy(
    only_plan: bool,
    template_only: bool,
    region: str | None,
    profile: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Deploy BUNDLE to AWS Lambda as an HTTPS endpoint.

    Uploads the package, publishes a version, replays the golden images in it on AWS, and only then
    sends it calls. If the version fails, or an alarm goes off during --canary, the live version stays
    live. Repeat the command to change settings, or to resume after Ctrl-C. Exit code 1: the version
    failed. 2: an option is wrong, AWS refused a change, or somebody else is deploying this name.
    4: AWS cannot be reached or rejects your credentials.

    \b
    Examples:
      snapship deploy flowers.bundle --name flowers
      snapship deploy flowers.bundle --name flowers --canary 10% --canary-minutes 10
      snapship deploy flowers.bundle --name flowers --auth api-key --plan
      snapship deploy --package lambda.zip --name flowers --arch arm64 --memory 1024
    """
    from serverless.deploy.planning import offline_template
    from serverless.deploy.template import text

    if only_plan and template_only:
        raise UsageError("--plan asks AWS, --template-only does not. Received: both. Pass one of them.")
    config = _config(options)
    if config.deployment.auth == "none":
        click.echo(OPEN_TO_ALL, err=True)
    if template_only:
        with console() as progress:
            made = offline_template(config, progress)
        click.echo(text(made), nl=False)
    elif only_plan:
        _plan(config, region, profile, as_json)
    else:
        _deploy(config, region, profile, as_json)


def _plan(config: DeployConfig, region: str | None, profile: str | None, as_json: bool) -> None:
    from serverless.deploy.planning import plan
    from serverless.deploy.template import text

    aws = _checked_connection(region, profile)
    with console() as progress:
        planned = plan(config, aws, progress)
    if as_json:
        cli_options.echo_json(planned)
        return
    if not planned.steps:
        click.echo(f"No changes: {planned.stack} is up to date.")
        return
    # Before the table, since people look first at the end of the output.
    click.echo(text(planned.template), nl=False)
    columns = [Column("action"), Column("resource"), Column("type"), Column("purpose")]
    print_table(columns, [(step.action, step.resource, step.type, step.purpose) for step in planned.steps])
    click.echo("Nothing was changed.")


def _deploy(config: DeployConfig, region: str | None, profile: str | None, as_json: bool) -> None:
    from serverless.aws import Connection
    from serverless.deploy.deploying import deploy

    aws = Connection(region, profile)

    def show_key(secret: str) -> None:
        # At once: the secret is stored nowhere, so it must not get lost if a later step fails.
        click.echo(f"API key, shown only once: {secret}", err=as_json)

    with console() as progress:
        done = deploy(config, aws, progress, show_key)
    if as_json:
        cli_options.echo_json(done)
        return
    what = {"created": "Deployed", "updated": "Updated", "unchanged": "No changes:"}[done.status]
    before = f" (before: {done.previous}; to go back: snapship rollback {done.name})" if done.previous else ""
    click.echo(f"{what} {done.name}, version {done.version}{before}")
    click.echo(done.url)
    click.echo(f"Try: {done.curl}")


def _checked_connection(region: str | None, profile: str | None) -> Connection:
    """Connects and looks up region and account; the error of a failure names the offline option."""
    from serverless.aws import Connection

    try:
        aws = Connection(region, profile)
        # Now, before the slow part.
        _ = aws.region, aws.account
    except SnapshipError as error:
        error.args = (
            f"{str(error).rstrip('.')}. To see the template without AWS, pass --template-only instead of --plan.",
        )
        raise
    return aws


def _config(options: dict[str, Any]) -> DeployConfig:
    from serverless.deploy.stack.keys_parameter import parameter_of

    names = {field.name for field in fields(Deployment)}
    chosen = {name: value for name, value in options.items() if name in names}
    own_keys = chosen["keys_parameter"] or chosen["environment"].get("SNAPSHIP_API_KEYS")
    if chosen["auth"] == "api-key" and not own_keys:
        # Checks the name first, since it becomes part of the parameter's name.
        chosen["keys_parameter"] = parameter_of(Deployment(chosen["name"]).name)
    return DeployConfig(
        Deployment(**chosen), **{name: value for name, value in options.items() if name not in names}
    )
