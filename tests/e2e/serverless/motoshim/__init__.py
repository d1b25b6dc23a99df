"""A moto server with what its CloudFormation lacks: types that it skips, and the order of an update.

Runs in the environment ``moto`` of ``make acceptance``: ``python -m motoshim -p PORT``. Nothing of
snapship is in it. With MOTOSHIM_FUNCTION_URL, function URLs get that address, as moto serves none.
"""
