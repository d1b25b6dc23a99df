"""The cloud house: ``serverless.app`` answers requests, ``serverless.serving.cli`` starts it on a laptop.

``serverless.app`` is what runs in the cloud and imports ``edge_runtime`` and nothing
else of snapship. This file stays free of imports, so that a function in the cloud
loads no more than it needs.
"""

__all__: list[str] = []
