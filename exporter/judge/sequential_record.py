"""What ``check.json`` says of a check that went through the images one by one."""

from __future__ import annotations

from edge_runtime.bundle.strict_json import Strict


class SequentialRun(Strict, frozen=True):
    """A sequential check; where each artifact stopped is in its own record (``stop``).

    Attributes:
        seed: Seed of the random order.
        images: Images on hand, readable or not; the check's ``n`` are those compared.
        data_sha256: Hash of their contents: the same images and seed give the same order.
        whole: What asked for all images, as options; empty if the check could stop.
    """

    seed: int
    images: int
    data_sha256: str
    whole: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """How the verdict came about, in one clause."""
        order = f"images one by one in random order (seed {self.seed})"
        bounds = "its bounds hold at every look, the bound of a fixed number of images was not consulted"
        if not self.whole:
            return f"{order}, {self.images:,} on hand; {bounds}"
        return f"{order}; {bounds}; {' and '.join(self.whole)} asked for all {self.images:,}"
