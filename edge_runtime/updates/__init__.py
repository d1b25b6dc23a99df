"""Over-the-air updates: fetch, verify, test, switch; and swap the bundle of a running service."""

from edge_runtime.updates.live_classifier import LiveClassifier, Swap
from edge_runtime.updates.pulling import Pulled, pull, rollback
from edge_runtime.updates.signature import PublicKey, Signature, read_public_keys
from edge_runtime.updates.signing import new_key, sign

__all__ = [
    "LiveClassifier",
    "PublicKey",
    "Pulled",
    "Signature",
    "Swap",
    "new_key",
    "pull",
    "read_public_keys",
    "rollback",
    "sign",
]
