"""Scores any number of photos, and goes on where an earlier run was ended."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.common.cores import cores
from edge_runtime.common.errors import DataError, EnvironmentMissingError, ImageError, UsageError
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.common.text import shortened
from edge_runtime.engines.selection import choose
from edge_runtime.image.preprocess import MAX_BYTES, MAX_PIXELS
from edge_runtime.output.records import Value
from edge_runtime.score.arrow import parquet
from edge_runtime.score.destination import Destination, destination
from edge_runtime.score.inputs import photos_of
from edge_runtime.score.job import Job, bundle_zip
from edge_runtime.score.parts import Part, Parts, Rows
from edge_runtime.score.photos import Listing, Photo
from edge_runtime.score.plan import PLAN_FILE, Plan, differences
from edge_runtime.score.scorer import Scorer
from edge_runtime.score.storage import S3, Storage
from edge_runtime.workers.crew import Crew, Machine, StartCrew
from edge_runtime.workers.dispatch import Cutting, Dispatch
from edge_runtime.workers.processes import Processes

SUCCESS_FILE = "_SUCCESS"

MAX_SHARD = 100_000
"""Photos of a shard: its rows are in memory, and a worker that ends loses them."""


@dataclass(frozen=True)
class ScoreConfig:
    """What to score.

    Attributes:
        bundle: A bundle.
        inputs: As :func:`edge_runtime.score.inputs.photos_of` takes them.
        out: A folder or an ``s3://`` prefix.
        artifact: Kind of artifact; None takes the best one.
        engine: ``auto`` or an engine's name.
        allow_failed: Also use an artifact that failed its check.
        workers: Processes; None for one per core.
        shard_size: Photos of a shard.
        top_k: Classes of a row.
        column: Column of a list or a Parquet file; None finds it.
        max_bytes: Limit of an encoded image.
        max_pixels: Limit of an image's width times height.
        s3_endpoint: Address of another server that speaks S3.
    """

    bundle: Path
    inputs: Sequence[str]
    out: str
    artifact: str | None = None
    engine: str = "auto"
    allow_failed: bool = False
    workers: int | None = None
    shard_size: int = 1000
    top_k: int = 5
    column: str | None = None
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    s3_endpoint: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.shard_size <= MAX_SHARD:
            raise UsageError(
                f"--shard-size must be 1 to {MAX_SHARD:,}. Received: {self.shard_size}. Pass another one."
            )
        for name, value in (("--top-k", self.top_k), ("--workers", self.workers)):
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1. Received: {value}. Pass {name} 1 or more.")


@dataclass(frozen=True)
class ScoreReport:
    """What a run did.

    Attributes:
        out: Where the rows are.
        images: Rows in all.
        errors: Rows of photos that could not be used.
        shards: Parts in all.
        resumed: Parts that an earlier run had written.
        scored: Rows that this run wrote.
        seconds: Time of this run, without listing.
        given_up: Names of photos that ended a process, or made it raise, each time.
        ended: Times that a process ended.
        machines: Workers that took part, those of this run only.
        refused: Workers that did not.
    """

    out: str
    images: int
    errors: int
    shards: int
    resumed: int
    scored: int
    seconds: float
    given_up: tuple[str, ...]
    ended: int
    machines: tuple[Machine, ...]
    refused: tuple[Machine, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for ``--json``."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def score(
    config: ScoreConfig,
    progress: Progress = no_progress,
    start: StartCrew = Processes,
    available: int | None = None,
    open_scorer: Callable[[Job, Path], Scorer] = Scorer.open,
) -> ScoreReport:
    """Scores photos to Parquet files.

    Args:
        config: What to score.
        progress: Called with finished photos.
        start: Starts the workers.
        available: Cores that there are for them; None for this machine's.
        open_scorer: Opens the scorer in each of them; can be pickled.

    Returns:
        What was done; the rows are in ``part-*.parquet``, in the order of the photos.

    Raises:
        BundleError: The bundle is damaged.
        DataError: An input does not exist, cannot be read, or holds no photo.
        UsageError: The output cannot be written, or holds something else.
        EnvironmentMissingError: pyarrow is not installed, S3 has no credentials, or no worker takes part.
    """
    parquet()
    storage = Storage(config.s3_endpoint)
    out = destination(config.out, storage)
    packed = bundle_zip(config.bundle)
    with temporary_folder() as place:
        bundle = place / "bundle.zip"
        bundle.write_bytes(packed)
        opened = Bundle.open(bundle)
        artifact = choose(opened, config.artifact, engine=config.engine, allow_failed=config.allow_failed)
        earlier = _plan_there(out)
        photos = _counted(photos_of(config.inputs, storage, config.column), progress)
        listing = Listing(place / "photos", photos, config.shard_size)
        plan = Plan(
            schema_version=1, inputs_sha256=listing.sha256, images=listing.images, shard_size=config.shard_size,
            shards=listing.shards, manifest_sha256=hashlib.sha256(opened.read(MANIFEST_FILE)).hexdigest(),
            artifact=artifact.kind, engine=config.engine, top_k=config.top_k, max_bytes=config.max_bytes,
            max_pixels=config.max_pixels,
        )  # fmt: skip
        _check_plan(out, earlier, plan)
        parts = Parts(plan, artifact, len(opened.manifest.labels), out)
        done = dict(parts.there(progress)) if earlier else {}
        left = [shard for shard in range(plan.shards) if shard not in done]
        first = listing.shard(0)[0].file
        job = Job(
            plan, hashlib.sha256(packed).hexdigest(), config.out, os.getcwd(),
            None if first.startswith(S3) or not os.path.exists(first) else first, config.s3_endpoint,
        )  # fmt: skip
        if earlier is None:
            out.check()
            out.write(PLAN_FILE, plan.encoded())
        started = time.perf_counter()
        dispatch = None
        if left:
            resumed = sum(map(plan.images_of, done))
            workers = min(config.workers or available or cores(), len(left))
            with closing(start(partial(open_scorer, job), bundle, workers)) as crew:
                dispatch = _dispatch(crew, parts)
                shards = ((shard, listing.shard(shard)) for shard in left)
                for part in dispatch.run(shards):
                    done[part.shard] = part.errors
                    resumed += part.images
                    progress("Scoring", resumed, plan.images)
        seconds = time.perf_counter() - started
    errors = sum(done.values())
    summary = {"plan": plan.sha256, "images": plan.images, "errors": errors, "parts": plan.shards}
    out.write(SUCCESS_FILE, encode_json(summary))
    return ScoreReport(
        out=out.place, images=plan.images, errors=errors, shards=plan.shards, resumed=plan.shards - len(left),
        scored=sum(map(plan.images_of, left)), seconds=round(seconds, 3),
        given_up=tuple(photo.name for photo in dispatch.given_up) if dispatch else (),
        ended=dispatch.ended if dispatch else 0,
        machines=tuple(dispatch.machines.values()) if dispatch else (),
        refused=tuple(dispatch.refused) if dispatch else (),
    )  # fmt: skip


def _dispatch(crew: Crew[Any, Any], parts: Parts) -> Dispatch[Photo, Part, list[Value]]:
    """A dispatch that writes the parts of shards that were cut."""

    def error_row(photo: Photo, reason: str) -> list[Value]:
        error = ImageError(
            f"An image must not end the process. Received: {photo.name} ({shortened(reason, 300)}). "
            "Check or replace it."
        )
        return parts.row(photo.name, error)

    def join(shard: int, rows: Rows) -> Part:
        by = next(iter(dispatch.machines.values()))
        return parts.write(shard, rows, by, time.perf_counter())

    def nobody(reasons: str) -> EnvironmentMissingError:
        return EnvironmentMissingError(
            f"A worker must replay the bundle's golden examples. Received: none that does ({reasons}). "
            "Run snapship selftest BUNDLE on that machine."
        )

    dispatch = Dispatch(crew, Cutting(error_row, join), nobody)
    return dispatch


def _counted(photos: Iterator[Photo], progress: Progress) -> Iterator[Photo]:
    for count, photo in enumerate(photos):
        if not count % 1000:
            progress("Listing photos", count, 0)
        yield photo


def _plan_there(out: Destination) -> Plan | None:
    """The plan of an earlier run; None where there is nothing."""
    held = out.names()
    if not held:
        return None
    written = out.read(PLAN_FILE)
    if written is None:
        raise UsageError(
            f"--out must be new, or of an earlier run. Received: {out.place}, which holds {shortened(held[0])} "
            f"and no {PLAN_FILE}. Pass another --out."
        )
    try:
        return msgspec.json.decode(written, type=Plan)
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"{PLAN_FILE} must follow its schema. Received: {out.place}, {shortened(error, 200)}. Pass another --out."
        ) from error


def _check_plan(out: Destination, earlier: Plan | None, plan: Plan) -> None:
    if not plan.images:
        raise DataError("score needs images. Received: none. Pass files, folders, patterns, lists or tables.")
    if earlier is not None and earlier != plan:
        raise UsageError(
            f"A run goes on with the plan it began with. Received: --out {out.place} of another plan: "
            f"{', '.join(differences(earlier, plan))} changed. Pass another --out, or what it began with."
        )
