"""The price table, with its date and source."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge_runtime.common.errors import UsageError

TABLE = Path(__file__).with_name("prices.toml")


class LambdaPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of AWS Lambda, in US dollars.

    Attributes:
        requests_per_million: Per million calls, whatever they do.
        gb_second_x86_64: Per second with 1,024 MB of memory, on x86_64.
        gb_second_arm64: The same on arm64.
    """

    requests_per_million: float
    gb_second_x86_64: float
    gb_second_arm64: float


class CloudWatchPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of CloudWatch, in US dollars.

    Attributes:
        logs_per_gb: Per 10^9 bytes of ingested logs.
        metric_month: Per custom metric and month.
        alarm_metric_month: Per metric that an alarm watches, and month.
    """

    logs_per_gb: float
    metric_month: float
    alarm_metric_month: float


class HttpApiPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of an HTTP API, in US dollars; a function URL is free.

    Attributes:
        requests_per_million: Per million requests.
    """

    requests_per_million: float


class FreeTier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The monthly free tier of an account.

    Attributes:
        requests: Calls of functions.
        gb_seconds: GB-seconds of functions.
        logs_gb: Ingested logs, in 10^9 bytes.
        metrics: Custom metrics.
        alarm_metrics: Metrics that alarms watch.
    """

    requests: int
    gb_seconds: int
    logs_gb: float
    metrics: int
    alarm_metrics: int


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"lambda_": "lambda"}):
    """A price table.

    Attributes:
        date: Date of the prices, ``YYYY-MM-DD``.
        region: The AWS region they are for.
        source: Where they come from.
        verified: Whether they were compared with AWS's own pages on that day.
        lambda_: Prices of functions.
        cloudwatch: Prices of logs, metrics and alarms.
        http_api: Prices of API Gateway.
        free_tier: What is free each month.
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
        path: A TOML file like the built-in one.

    Raises:
        UsageError: It cannot be read, or a field is missing, unknown, negative or of another type.
    """
    try:
        prices = msgspec.toml.decode(path.read_bytes(), type=Prices)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UsageError(
            f"A price table must be a TOML file with the fields of the built-in one. "
            f"Received: {path} ({reason}). Copy {TABLE} and change its numbers."
        ) from error
    for group in ("lambda_", "cloudwatch", "http_api", "free_tier"):
        for name, value in msgspec.structs.asdict(getattr(prices, group)).items():
            if not 0 <= value < float("inf"):
                raise UsageError(
                    f"Prices must be finite and not negative. Received: {path} with {name} = {value}. Correct it."
                )
    return prices
