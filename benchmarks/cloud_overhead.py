"""What the Lambda handler adds to a classification, from an event with a JPEG to the answer.

Alternating on the same photos: `Classifier.classify` of the bytes, and the handler with the event that a function
URL sends for them, base64 in and JSON out, including its log line.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.edge_model import edge_model, edge_parser, facts
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from edge_runtime import Classifier

MODULE = "benchmarks.cloud_overhead"
KINDS = ("tflite-int8", "tflite-fp32")

MOST_MS = 3.0
"""What the handler may add at the median."""

METHOD = """In one warm process: `Classifier.classify` from the bytes of {photos} JPEG photos of 320x240, and the Lambda
handler (`serverless.app.handler`) on the function URL's event of the same photo, including base64, answer and log
line. The two alternate photo by photo over {rounds} rounds. *Added*: the median difference of the pairs. Both must
return the same class."""


class Context:
    """What Lambda gives a handler beside the event."""

    aws_request_id = "00000000-0000-0000-0000-000000000000"


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=20, help="rounds over the photos (default 20)")
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds = 2
    with tempfile.TemporaryDirectory() as name:
        folder, photos = edge_model(made, options, Path(name))
        machine = facts()
        data = [photo.read_bytes() for photo in photos]
        found = {kind: measure(folder / "model.bundle", kind, data, options.rounds) for kind in KINDS}
    result = _result(options, machine, command_line(MODULE, arguments), len(photos), found)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def measure(bundle: Path, kind: str, images: Sequence[bytes], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of both ways, float64 ``[rounds, images]``.

    Args:
        bundle: A folder.
        kind: Of the artifact.
        images: JPEG files.
        rounds: After one that warms up.

    Raises:
        ValueError: The ways do not answer alike.
    """
    from serverless.app.entry import load_handler

    handler = load_handler({"SNAPSHIP_BUNDLE": str(bundle.absolute()), "SNAPSHIP_ARTIFACT": kind})
    events = [_event(image) for image in images]
    found = {way: np.zeros((rounds, len(images))) for way in ("classify", "handler")}
    with ExitStack() as stack:
        classifier = stack.enter_context(Classifier.open(bundle, kind))
        # The log lines are made and written as in Lambda, but nobody reads them.
        sink = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(redirect_stdout(sink))
        for turn in range(-1, rounds):
            for index, image in enumerate(images):
                answers: dict[str, Any] = {}
                for way in ("classify", "handler") if turn % 2 else ("handler", "classify"):
                    before = time.perf_counter()
                    answers[way] = (
                        classifier.classify(image) if way == "classify" else handler(events[index], Context)
                    )
                    spent = time.perf_counter() - before
                    if turn >= 0:
                        found[way][turn, index] = spent
                named = json.loads(answers["handler"]["body"]).get("label")
                if named != answers["classify"].top.label:
                    raise ValueError(f"The ways must answer alike. Received: {answers}.")
    return found


def _event(image: bytes) -> dict[str, Any]:
    """A function URL's event, see tests/functional/serverless/events."""
    http = {"method": "POST", "path": "/classify", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/classify",
        "rawQueryString": "",
        "headers": {"content-type": "image/jpeg", "host": "x.lambda-url.us-west-2.on.aws"},
        "requestContext": {"http": http, "stage": "$default", "domainName": "x.lambda-url.us-west-2.on.aws"},
        "body": base64.b64encode(image).decode(),
        "isBase64Encoded": True,
    }


def _result(
    options: Any, machine: dict[str, str], command: str, photos: int, found: dict[str, dict[str, np.ndarray]]
) -> Result:
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    for kind, seconds in found.items():
        added = (seconds["handler"] - seconds["classify"]) * 1e3
        for way, times in seconds.items():
            p50, p99 = (float(value) * 1e3 for value in np.percentile(times, (50, 99)))
            rows.append((kind, way, p50, p99, float(np.median(added)) if way == "handler" else None))
        figures.append(Figure(f"{kind}: ms that the handler adds", float(np.median(added)), most=MOST_MS))
    return Result(
        name="cloud-overhead",
        group="cloud-overhead",
        title="What the handler adds to a classification",
        method=METHOD.format(photos=photos, rounds=options.rounds),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"rounds": options.rounds},
        columns=(
            Column("artifact"), Column("way"), Column("p50 ms", "ratio"), Column("p99 ms", "ratio"),
            Column("added ms", "ratio"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()
