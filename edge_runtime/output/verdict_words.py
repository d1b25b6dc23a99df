"""What an artifact's rules say of an image, in the words of tables and plain lines."""

from __future__ import annotations

from edge_runtime.common.text import printable
from edge_runtime.engines.result import Prediction, Result

ANSWERED, NOT_SURE, UNKNOWN = "answered", "not sure", "unknown"

VERDICT_STYLES = {"": "", ANSWERED: "green", NOT_SURE: "bold yellow", UNKNOWN: "bold red"}
"""The rich style of each word."""

VERDICT_WIDTH = max(map(len, VERDICT_STYLES))
"""Characters of the longest word."""

_SENTENCES = {
    NOT_SURE: "Not sure: do not take the best class for the answer.",
    UNKNOWN: "Unknown: this does not look like anything that the model was trained on.",
}

_MOST_CANDIDATES = 5
"""More do not fit a line; JSON, CSV and Parquet list all."""


def verdict(result: Result) -> str:
    """``answered``, ``not sure`` or ``unknown``; empty where no rule says when to answer.

    Args:
        result: A result.
    """
    if result.answered is None:
        return ""
    if result.known is False:
        return UNKNOWN
    return ANSWERED if result.answered else NOT_SURE


def is_believed(result: Result) -> bool:
    """Whether nothing speaks against taking the best class for the answer.

    Args:
        result: A result.
    """
    return result.answered is not False


def sentences(result: Result) -> list[tuple[str, str]]:
    """What to tell a person about one image, each sentence with its rich style; none if there is nothing to tell.

    Args:
        result: A result.
    """
    word = verdict(result)
    found = [(_SENTENCES[word], VERDICT_STYLES[word])] if word in _SENTENCES else []
    several = result.candidates is not None and len(result.candidates) > 1
    named = candidates(result) if several else ""
    return [*found, (f"Candidates: {named}", "")] if named else found


def candidates(result: Result) -> str:
    """The labels that may be true, best first, on one line; empty without such a rule, and for unknown things.

    Args:
        result: A result.
    """
    if result.candidates is None or result.known is False:
        # The rule's promise is about images of the model's classes.
        return ""
    return _listed(result.candidates)


def _listed(found: tuple[Prediction, ...]) -> str:
    names = [printable(entry.label) for entry in found[:_MOST_CANDIDATES]]
    rest = len(found) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")
