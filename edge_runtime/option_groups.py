"""A command whose ``--help`` lists its options under headings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

OTHER = "Other options"
"""The last heading: options in no group, e.g. ``--help``."""

_WIDEST = 30
"""Characters; click writes the help of a longer option below it."""


class GroupedCommand(click.Command):
    """For commands with many options."""

    def __init__(self, *arguments: Any, groups: Mapping[str, str], **attributes: Any) -> None:
        """As :class:`click.Command`.

        Args:
            arguments: As there.
            groups: Long options separated by spaces, by heading; in the order of the help.
            attributes: As there.
        """
        super().__init__(*arguments, **attributes)
        self.groups = {heading: options.split() for heading, options in groups.items()}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes each group as a section, all with one column width."""
        params = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        by_option = {option: param for param in params for option in param.opts}
        sections = {heading: [by_option[name] for name in names] for heading, names in self.groups.items()}
        grouped = [param for found in sections.values() for param in found]
        sections[OTHER] = [param for param in params if param not in grouped]
        records = {
            heading: [record for param in found if (record := param.get_help_record(ctx))]
            for heading, found in sections.items()
        }
        width = min(_WIDEST, max(len(option) for found in records.values() for option, _ in found))
        for heading, found in records.items():
            if found:
                with formatter.section(heading):
                    formatter.write_dl([(option.ljust(width), text) for option, text in found])
