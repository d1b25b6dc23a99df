"""The price table: data, with the day it was written and where it is from."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge_runtime.errors import UsageError

TABLE = Path(__file__).with_name("prices.toml")


class LambdaPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of AWS Lambda, in US dollars.

    Attributes:
        requests_per_million: For a million calls, whatever they do.
        gb_second_x86_64: For a second with 1,024 MB of memory.
        gb_second_arm64: The same on arm64.
    """

    requests_per_million: float
    gb_second_x86_64: float
    gb_second_arm64: float


class CloudWatchPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of CloudWatch, in US dollars.

    Attributes:
        logs_per_gb: For taking in 10^9 bytes of logs.
        metric_month: For a metric of one's own, a month.
        alarm_metric_month: For each metric that an alarm reads, a month.
    """

    logs_per_gb: float
    metric_month: float
    alarm_metric_month: float


class HttpApiPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of an HTTP API, in US dollars; a function URL costs nothing.

    Attributes:
        requests_per_million: For a million requests.
    """

    requests_per_million: float


class FreeTier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an account does not pay for, each month.

    Attributes:
        requests: Calls of functions.
        gb_seconds: Of functions.
        logs_gb: Logs taken in, in 10^9 bytes.
        metrics: Metrics of one's own.
        alarm_metrics: Metrics that alarms read.
    """

    requests: int
    gb_seconds: int
    logs_gb: float
    metrics: int
    alarm_metrics: int


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"lambda_": "lambda"}):
    """A price table.

    Attributes:
        date: Day it was written, ``YYYY-MM-DD``.
        region: Whose prices they are.
        source: Where they are from.
        verified: Whether somebody compared them with AWS's own pages that day.
        lambda_: Of functions.
        cloudwatch: Of logs, metrics and alarms.
        http_api: Of API Gateway.
        free_tier: What costs nothing.
    """

    date: str
    region: str
    source: str
    verified: bool
    lambda_: LambdaPrices
    cloudwatch: CloudWatchPrices
    http_api: HttpApiPrices
    free_tier: FreeTier


def read_prices(path: Path = TABLE) -> Prices:
    """Reads a price table.

    Args:
        path: A TOML file like the one that is shipped.

    Raises:
        UsageError: It cannot be read, or a field is missing, unknown, negative or of another type.
    """
    try:
        prices = msgspec.toml.decode(path.read_bytes(), type=Prices)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UsageError(
            f"A price table must be a TOML file with the fields of the one that is shipped. "
            f"Received: {path} ({reason}). Copy {TABLE} and change its numbers."
        ) from error
    for group in ("lambda_", "cloudwatch", "http_api", "free_tier"):
        for name, value in msgspec.structs.asdict(getattr(prices, group)).items():
            if not 0 <= value < float("inf"):
                raise UsageError(
                    f"Prices must be numbers from 0. Received: {path} with {name} = {value}. Correct it."
                )
    return prices
