"""The ``snapship`` program.

A click group that imports a command when it runs, and reports any failure in one line.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

import click

from snapship.commands import COMMANDS, SECTIONS


class _KeptError(Exception):
    """Carries an exception past click, which would handle it in its own way."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class LazyGroup(click.Group):
    """The commands of :mod:`snapship.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports one command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name].module), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Rejects an unknown command and suggests similar names."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=3, cutoff=0.5)
            hint = f"Did you mean: {', '.join(close)}?" if close else f"Use one of: {', '.join(COMMANDS)}."
            raise click.UsageError(f"The command must be a known name. Received: {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands by section, without importing them."""
        width = max(map(len, COMMANDS))
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(entry.name.ljust(width), entry.help) for entry in entries])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; keeps from click what :func:`failure_of` describes better."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, EOFError, BrokenPipeError) as error:
            raise _KeptError(error) from error

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *others: Any,
        standalone_mode: bool = True,
        **options: Any,
    ) -> Any:
        """Runs a command line; see :meth:`click.Command.main`.

        Args:
            args: The arguments; None for the process's own.
            prog_name: The program's name in the help.
            others: As in click.
            standalone_mode: End the process, with one line for an error; False raises the error.
            options: As in click.
        """
        words = list(sys.argv[1:] if args is None else args)
        start: Callable[..., Any] = super().main

        def run() -> Any:
            if words and words[0] in COMMANDS:
                # Here, while few calls are open, for the reason in edge_runtime/__init__.py.
                import_module(COMMANDS[words[0]].module)
            if not gc.isenabled():
                # Off since the process began, see __main__.py; what is loaded now stays.
                gc.freeze()
                gc.enable()
                # Only if loaded, which it is wherever a command may load Keras: --help must not pay for it.
                if "edge_runtime" in sys.modules:
                    from edge_runtime.common.importing import command_runs_alone

                    command_runs_alone()
            return start(words, prog_name or "snapship", *others, standalone_mode=False, **options)

        if not standalone_mode:
            try:
                return run()
            except _KeptError as kept:
                raise kept.error from None
        try:
            returned = run()
            # Here, because at the interpreter's exit a closed pipe would be a traceback.
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            shown = error.error if isinstance(error, _KeptError) else error
            _fail(shown, next((word for word in words if word in COMMANDS), ""))
        # Commands return their exit code, or nothing.
        sys.exit(returned if type(returned) is int else 0)


def _fail(error: BaseException, command: str) -> NoReturn:
    no_arguments = getattr(click.exceptions, "NoArgsIsHelpError", None)
    if no_arguments is not None and isinstance(error, no_arguments):
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    # Only if loaded, which it is wherever stderr may have been redirected.
    if "edge_runtime.common.native_output" in sys.modules:
        sys.modules["edge_runtime.common.native_output"].restore()
    # Here, like all that a run without errors does not need: each start would pay for it.
    from snapship.error_exit import debug_text, failure_of

    failure = failure_of(error, command)
    if failure.line:
        # On a full disk or a closed pipe the exit code has to do.
        with suppress(OSError):
            click.echo(debug_text(error) + failure.line, err=True)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python flushes both again at exit: send that to nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(failure.exit_code)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from snapship.extras import version

        click.echo(f"snapship {version()}")
        ctx.exit()


@click.group(
    name="snapship",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    subcommand_metavar="COMMAND ...",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Train an image classifier once, ship it, and prove that it still gives the same answers.

    \b
    Examples:
      snapship demo
      snapship predict flowers.bundle photo.jpg
      snapship train photos/ --model mobilenet_v2 --out runs/flowers

    \b
    Exit codes: 0 success, 1 gate failed, 2 invalid usage or input,
                3 inconclusive, 4 something is not installed.
    """


def _open_streams() -> None:
    """Replaces standard streams that the caller closed, which Python leaves as None."""
    if sys.stdout is None:
        # Read-only: output that goes nowhere is an error, as in other programs.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def main() -> None:
    """Runs the program and ends the process."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # File names may not be encodable in the terminal's encoding.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli()
