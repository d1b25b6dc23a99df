"""What an endpoint costs: measured here, scaled to Lambda, priced by a table with a date.

Stages::

    prices      the price table, data with its date and source
    measuring   a fresh process starts the app and answers golden images
    formulas    memory -> share of a processor -> time -> GB-seconds -> dollars
    estimating  a row for each memory size, and the cheapest that is good enough
"""

from serverless.deploy.cost.estimating import CostEstimate, CostRow, Load, estimate
from serverless.deploy.cost.measuring import RequestProfile, measure
from serverless.deploy.cost.prices import Prices, read_prices

__all__ = [
    "CostEstimate",
    "CostRow",
    "Load",
    "Prices",
    "RequestProfile",
    "estimate",
    "measure",
    "read_prices",
]
