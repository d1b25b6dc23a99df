"""``snapship deploy``: from a bundle to an endpoint on AWS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from edge_runtime.errors import SnapshipError, UsageError
from edge_runtime.option_groups import GroupedCommand
from edge_runtime.temporary import temporary_files_together
from edge_runtime.terminal import Column, print_table
from serverless.deploy import cli_options
from serverless.deploy.config import ONE_CPU_MB, Deployment
from serverless.deploy.config_rules import Arch, Auth, Front, PythonVersion
from serverless.deploy.telling import telling

if TYPE_CHECKING:
    from serverless.aws import Connection

OPEN_TO_ALL = (
    "WARNING: --auth none: everyone who has the address can call it, and you pay for every call. "
    "Consider --auth api-key, and --reserved to bound what it can cost."
)


def _share(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Reads ``10%`` or ``0.1``."""
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,4})?|\.[0-9]{1,4})(%?)", value.strip(), re.ASCII)
    if found is None:
        raise click.BadParameter(
            f"A share must be such as 10% or 0.1. Received: {value!r}. Pass --canary 10% for a tenth of the calls."
        )
    return float(found[1]) / 100 if found[2] else float(found[1])


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Reads ``NAME=VALUE``."""
    wrong = [value for value in values if not value.partition("=")[0] or "=" not in value]
    if wrong:
        raise click.BadParameter(
            f"It must be such as NAME=VALUE. Received: {wrong[0]!r}. Pass {param.opts[0]} NAME=VALUE, once for each."
        )
    return {name: text for name, _, text in (value.partition("=") for value in values)}


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
@click.option("--name", required=True, help="The endpoint's name: lower-case letters, digits, hyphens.")
@click.option(
    "--plan",
    "only_plan",
    is_flag=True,
    help="Show the template and what would change; change nothing.",
)
@click.option(
    "--template-only",
    is_flag=True,
    help="Print the CloudFormation template; needs neither AWS nor a package.",
)
@click.option(
    "--package", type=click.Path(path_type=Path), metavar="ZIP", help="Deploy a zip of snapship package."
)
@click.option("--artifact", metavar="KIND", help="Such as tflite-int8; default: the best for the cloud.")
@click.option("--arch", type=click.Choice(get_args(Arch)), default="x86_64", show_default=True)
@click.option("--python", type=click.Choice(get_args(PythonVersion)), default="3.12", show_default=True)
@click.option(
    "--memory", type=int, default=ONE_CPU_MB, show_default=True, metavar="MB", help="1769 is one vCPU."
)
@click.option("--timeout", type=int, default=30, show_default=True, metavar="S", help="AWS ends a call then.")
@click.option("--storage", type=int, default=512, show_default=True, metavar="MB", help="Size of /tmp.")
@click.option(
    "--auth",
    type=click.Choice(get_args(Auth)),
    default="aws-iam",
    show_default=True,
    help="Who may call: signed requests, those with a key, or everyone.",
)
@click.option(
    "--keys-parameter", metavar="NAME", help="SSM parameter of the keys; default: /snapship/NAME/keys."
)
@click.option(
    "--cors-origin", "cors_origins", multiple=True, metavar="ORIGIN", help="May call from a page; repeat."
)
@click.option("--front", type=click.Choice(get_args(Front)), default="url", show_default=True)
@click.option(
    "--canary",
    callback=_share,
    default="0%",
    metavar="SHARE",
    help="Share for a new version first: 10%.",
)
@click.option(
    "--canary-minutes",
    type=float,
    default=5.0,
    show_default=True,
    metavar="N",
    help="Watch the alarms so long.",
)
@click.option("--reserved", type=int, metavar="N", help="Most calls at a time.")
@click.option("--provisioned", type=int, metavar="N", help="Instances kept ready, billed while idle.")
@click.option("--snapstart", is_flag=True, help="Start from a snapshot of the loaded function.")
@click.option(
    "--input-bucket",
    "--s3-trigger",
    "input_bucket",
    metavar="BUCKET",
    help="Classify new images in this bucket.",
)
@click.option("--bucket-exists", is_flag=True, help="The input bucket is there and tells EventBridge.")
@click.option(
    "--results", metavar="s3://BUCKET/PREFIX/", help="Where its results go; default: KEY.json beside it."
)
@click.option("--queue", is_flag=True, help="Also take work from an SQS queue, with a dead-letter queue.")
@click.option("--warm-up-minutes", type=int, metavar="N", help="Call it every so many minutes.")
@click.option(
    "--retention-days", type=int, default=30, show_default=True, metavar="N", help="Keep logs so long."
)
@click.option(
    "--alarm-p99-ms", type=int, metavar="MS", help="Alarm on slower calls; default: a tenth of the timeout."
)
@click.option("--alarm-topic", metavar="ARN", help="SNS topic that is told of alarms.")
@click.option("--permissions-boundary", metavar="ARN", help="Bounds the function's role.")
@click.option(
    "--env",
    "environment",
    callback=_pairs,
    multiple=True,
    metavar="NAME=VALUE",
    help="Variable; repeat.",
)
@click.option(
    "--tag",
    "tags",
    callback=_pairs,
    multiple=True,
    metavar="NAME=VALUE",
    help="Tag; repeat.",
)
@click.option("--bucket", metavar="CODE_BUCKET", help="Your own bucket for code; default: one is made.")
@cli_options.where
@cli_options.as_json
@temporary_files_together()
def deploy(
    bundle: Path | None,
    only_plan: bool,
    template_only: bool,
    package: Path | None,
    artifact: str | None,
    canary: float,
    canary_minutes: float,
    bucket: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Deploy BUNDLE to AWS Lambda as an HTTPS endpoint.

    Uploads, publishes a version, replays the golden images in it on AWS, and only then sends
    it calls. A version that fails, or raises an alarm during --canary, gets none: what was
    live stays. Repeat the command to change anything, or to go on after Ctrl-C. Exit code 1
    when a version failed, 2 when something is wrong or somebody else is deploying it, 4 when
    AWS cannot be reached or does not know you.

    \b
    Examples:
      snapship deploy flowers.bundle --name flowers
      snapship deploy flowers.bundle --name flowers --canary 10% --canary-minutes 10
      snapship deploy flowers.bundle --name flowers --auth api-key --plan
      snapship deploy --package lambda.zip --name flowers --arch arm64 --memory 1024
    """
    from serverless.deploy.deploy_config import DeployConfig
    from serverless.deploy.deploying import deploy as run
    from serverless.deploy.planning import offline_template
    from serverless.deploy.planning import plan as look
    from serverless.deploy.template import text

    if only_plan and template_only:
        raise UsageError("--plan asks AWS, --template-only does not. Received: both. Pass one of them.")
    config = DeployConfig(
        deployment=_deployment(wishes),
        bundle=bundle,
        package=package,
        artifact=artifact,
        bucket=bucket,
        canary=canary,
        canary_minutes=canary_minutes,
    )
    if config.deployment.auth == "none":
        click.echo(OPEN_TO_ALL, err=True)
    if template_only:
        with telling() as say:
            made = offline_template(config, say)
        click.echo(text(made), nl=False)
        return
    from serverless.aws import Connection

    if only_plan:
        aws = _known(region, profile)
        with telling() as say:
            planned = look(config, aws, say)
        if as_json:
            cli_options.echo_json(planned)
            return
        if not planned.steps:
            click.echo(f"Nothing would change: {planned.stack} is as it shall be.")
            return
        # Before the table, which is what people look at first: the end of what is printed.
        click.echo(text(planned.template), nl=False)
        columns = [Column("action"), Column("resource"), Column("type"), Column("what for")]
        print_table(
            columns, [(step.action, step.resource, step.type, step.purpose) for step in planned.steps]
        )
        click.echo("Nothing was changed.")
        return
    aws = Connection(region, profile)

    def tell_key(secret: str) -> None:
        # At once: whatever fails later, the secret is kept nowhere else.
        click.echo(f"API key, shown this once: {secret}", err=as_json)

    with telling() as say:
        done = run(config, aws, say, tell_key)
    if as_json:
        cli_options.echo_json(done)
        return
    what = {"created": "Deployed", "updated": "Updated", "unchanged": "Nothing changed:"}[done.status]
    went = f" (before: {done.previous}; snapship rollback {done.name})" if done.previous else ""
    click.echo(f"{what} {done.name}, version {done.version}{went}")
    click.echo(done.url)
    click.echo(f"Try: {done.curl}")


def _known(region: str | None, profile: str | None) -> Connection:
    """A connection whose region and account are known; who has none is told what needs none."""
    from serverless.aws import Connection

    try:
        aws = Connection(region, profile)
        # Asked before the slow part.
        _ = aws.region, aws.account
    except SnapshipError as error:
        error.args = (
            f"{str(error).rstrip('.')}. To see the template without AWS, pass --template-only in place of --plan.",
        )
        raise
    return aws


def _deployment(wishes: dict[str, Any]) -> Deployment:
    """From the options, by the names that they have there."""
    from serverless.deploy.keys_parameter import parameter_of

    environment = wishes["environment"]
    parameter = wishes["keys_parameter"]
    if wishes["auth"] == "api-key" and parameter is None and not environment.get("SNAPSHIP_API_KEYS"):
        # The name first, as it becomes a part of the parameter's.
        parameter = parameter_of(Deployment(wishes["name"]).name)
    return Deployment(
        name=wishes["name"],
        arch=wishes["arch"],
        python=wishes["python"],
        memory_mb=wishes["memory"],
        timeout_s=wishes["timeout"],
        storage_mb=wishes["storage"],
        auth=wishes["auth"],
        keys_parameter=parameter,
        cors_origins=tuple(wishes["cors_origins"]),
        front=wishes["front"],
        retention_days=wishes["retention_days"],
        reserved_concurrency=wishes["reserved"],
        provisioned_concurrency=wishes["provisioned"],
        snapstart=wishes["snapstart"],
        input_bucket=wishes["input_bucket"],
        bucket_exists=wishes["bucket_exists"],
        results=wishes["results"],
        queue=wishes["queue"],
        warm_up_minutes=wishes["warm_up_minutes"],
        alarm_p99_ms=wishes["alarm_p99_ms"],
        alarm_topic=wishes["alarm_topic"],
        permissions_boundary=wishes["permissions_boundary"],
        environment=environment,
        tags=wishes["tags"],
    )
