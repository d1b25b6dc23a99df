"""Runs inside an unpacked package, in a fresh interpreter without site-packages.

Imports the function as Lambda does, sends every golden image through it, and replays the golden
examples. Prints one JSON object, and stops at the first problem. Started by
:mod:`serverless.deploy.package.interpreters`, by path.
"""

import base64
import importlib
import io
import json
import os
import pkgutil
import sys

_EVENT = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/classify",
    "rawQueryString": "top_k=1",
    "headers": {"content-type": "application/octet-stream", "host": "selfcheck"},
    "requestContext": {
        "http": {"method": "POST", "path": "/classify", "sourceIp": "127.0.0.1", "userAgent": "selfcheck"},
        "routeKey": "$default",
        "stage": "$default",
        "requestId": "selfcheck",
    },
    "isBase64Encoded": True,
}


class _Context:
    """The part of Lambda's context that the function reads."""

    aws_request_id = "selfcheck"
    function_name = "selfcheck"
    function_version = "1"
    memory_limit_in_mb = "1769"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:selfcheck"
    log_group_name = log_stream_name = "selfcheck"

    def get_remaining_time_in_millis(self) -> int:
        """Enough."""
        return 30_000


def main(root: str) -> dict[str, object]:
    """Runs all checks and returns the result.

    Args:
        root: The unpacked package.
    """
    sys.path.insert(0, root)
    os.environ["LAMBDA_TASK_ROOT"] = root
    app = importlib.import_module("serverless.app")
    handler = app.handler
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        return {"problem": "OPENBLAS_NUM_THREADS is not 1 when numpy is imported"}
    for found in pkgutil.walk_packages(app.__path__, "serverless.app."):
        importlib.import_module(found.name)
    _decode_every_format()
    runtime = importlib.import_module("edge_runtime")
    golden = importlib.import_module("edge_runtime.golden")
    bundle = runtime.Bundle.open(os.path.join(root, "bundle"))
    golden.verify_files(bundle)
    if bundle.manifest.golden is None:
        return {"replayed": 0}
    outcome = runtime.selftest(bundle)
    for replay in outcome.replays:
        if replay.failed is not None:
            return {"problem": f"{replay.file} at stage {replay.failed}: {replay.detail}"}
    examples = golden.read_golden(bundle).examples
    for example in examples:
        # Of one artifact, or of two and their cascade, which may answer with either here and was replayed above.
        recorded = [example.scores[entry.kind] for entry in bundle.entries]
        expected = {bundle.manifest.labels[scores.index(max(scores))] for scores in recorded}
        body = base64.b64encode(bundle.read(example.file)).decode()
        answer = handler({**_EVENT, "body": body}, _Context())
        if answer["statusCode"] != 200:
            return {"problem": f"{example.file} gets status {answer['statusCode']}"}
        label = json.loads(answer["body"])["label"]
        if label not in expected:
            return {
                "problem": f"{example.file} is classified as {label}, at export as {' or '.join(expected)}"
            }
    return {"replayed": len(examples)}


def _decode_every_format() -> None:
    """Raises if an allowed image format or pixel mode was lost with a library that was left out."""
    image = importlib.import_module("PIL.Image")
    preprocess = importlib.import_module("edge_runtime.image.preprocess")
    for name in preprocess.FORMATS:
        written = 0
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"):
            file = io.BytesIO()
            try:
                image.new(mode, (8, 8)).save(file, name)
            except (KeyError, OSError, ValueError):
                # Few formats support all modes.
                continue
            written += 1
            for channels in (1, 3):
                preprocess.decoded(file.getvalue(), channels)
        if not written:
            raise RuntimeError(f"{name} images are no longer supported")


if __name__ == "__main__":
    # The function logs to stdout; the answer is the last line.
    try:
        answer = main(sys.argv[1])
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        answer = {"problem": f"{type(error).__name__}: {reason}"}
    print("\n" + json.dumps(answer), flush=True)
