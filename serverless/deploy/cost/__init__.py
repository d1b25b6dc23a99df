"""The cost of an endpoint: measured here, scaled to Lambda, priced from a dated table.

Stages::

    prices      the price table, with its date and source
    measuring   a fresh process starts the app and classifies golden images
    estimating  memory -> CPU share -> time -> GB-seconds -> dollars, a row per memory size,
                and the cheapest that is good enough
"""

from serverless.deploy.cost.estimating import Estimate, Load, Row, estimate
from serverless.deploy.cost.measuring import RequestProfile, measure
from serverless.deploy.cost.prices import Prices, read_prices

__all__ = ["Estimate", "Load", "Prices", "RequestProfile", "Row", "estimate", "measure", "read_prices"]
