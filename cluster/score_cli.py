"""The command ``score``: any number of photos to Parquet files."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from edge_runtime.cli.options import (
    FilledPath,
    allow_failed_option,
    artifact_option,
    engine_option,
    limit_options,
)
from edge_runtime.common.terminal import GroupedCommand, StepProgress
from edge_runtime.common.text import printable
from edge_runtime.score.scoring import ScoreConfig, ScoreReport
from edge_runtime.score.scoring import score as score_photos


@click.command(
    cls=GroupedCommand,
    groups={
        "Photos": "--column --s3-endpoint",
        "Inference": "--artifact --allow-failed --engine",
        "Where": "--workers --ray",
        "Output": "--out --shard-size --top-k --json",
        "Limits": "--max-bytes --max-pixels",
    },
)
@click.argument("bundle", type=FilledPath(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", required=True, metavar="FOLDER", help="Folder or s3:// prefix for the rows.")
@artifact_option
@engine_option
@allow_failed_option
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Processes. Default: one per core, with --ray of the cluster.",
)
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Run on this Ray cluster: auto, HOST:PORT, or ray://HOST:PORT. Default: processes on this machine.",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Photos per file of rows; what a killed worker has to do again.",
)
@click.option("--top-k", type=click.IntRange(1), default=5, show_default=True, help="Classes per image.")
@click.option(
    "--column",
    metavar="NAME",
    help="Column with photos or their paths, of a Parquet or CSV file. Default: find it.",
)
@click.option(
    "--s3-endpoint", metavar="URL", help="Another server that speaks S3, such as http://127.0.0.1:9000."
)
@limit_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def score(
    bundle: Path,
    inputs: tuple[str, ...],
    out: str,
    artifact: str | None,
    engine: str,
    allow_failed: bool,
    workers: int | None,
    ray: str | None,
    shard_size: int,
    top_k: int,
    column: str | None,
    s3_endpoint: str | None,
    max_bytes: int,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Classify any number of photos, and store the answers.

    INPUT is an image, a folder, a quoted pattern, a list (.txt, .csv, .tsv), an archive (.zip, .tar),
    a Parquet file, or an s3:// prefix of these. The answers are Parquet files in --out, one per
    --shard-size photos, in the order of the photos, with the columns of predict --format parquet.

    The same command goes on where a run was ended, however it was ended. A photo that cannot be
    used is a row with an error, also one for which the process ends, and the exit code is then 2.
    Before its first photo, each worker replays the bundle's golden examples.

    \b
    Examples:
      snapship score flowers.bundle photos/ --out answers/
      snapship score flowers.bundle photos.parquet --column image --out answers/
      snapship score flowers.bundle s3://bucket/photos --out s3://bucket/answers --ray auto --json
    """
    config = ScoreConfig(
        bundle=bundle, inputs=inputs, out=out, artifact=artifact, engine=engine, allow_failed=allow_failed,
        workers=workers, shard_size=shard_size, top_k=top_k, column=column, max_bytes=max_bytes,
        max_pixels=max_pixels, s3_endpoint=s3_endpoint,
    )  # fmt: skip
    with StepProgress(rate="images/s") as progress:
        report = score_photos(config, progress) if ray is None else _on_ray(config, ray, progress)
    for machine in report.refused:
        click.echo(f"Left out: a worker on {printable(machine.host)}: {printable(machine.refused)}", err=True)
    for name in report.given_up:
        click.echo(f"Given up: {printable(name)} ended its process each time.", err=True)
    if as_json:
        click.echo(json.dumps(report.to_dict()))
    else:
        rate = f", {report.scored / report.seconds:,.0f} images/s" if report.scored and report.seconds else ""
        resumed = f", {report.resumed:,} parts were there" if report.resumed else ""
        click.echo(
            f"Wrote {printable(report.out)}: {report.images:,} images in {report.shards:,} parts, "
            f"{report.errors:,} of them unusable{resumed}{rate}."
        )
    return 2 if report.errors else 0


def _on_ray(config: ScoreConfig, address: str, progress: StepProgress) -> ScoreReport:
    from cluster.connection import joined
    from cluster.ray_crew import RayCrew

    with joined(address) as ray:
        return score_photos(
            config, progress, partial(RayCrew, ray), int(ray.cluster_resources().get("CPU", 1))
        )
