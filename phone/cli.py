"""``snapship phone``: parse, call, print."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from edge_runtime.bundle.manifest import Artifact
from edge_runtime.cli.options import FilledPath
from edge_runtime.common.atomic_file import interrupt_on_terminate
from edge_runtime.common.terminal import GroupedCommand, StepProgress
from edge_runtime.common.text import printable
from phone.app.reduced_bundle import KINDS, cascade_refused
from phone.making import Made, PhoneConfig, make_app
from phone.serving.server import AppServer
from phone.serving.serving import serve_until_stopped


class _Kind(click.Choice[str]):
    """One of :data:`~phone.app.reduced_bundle.KINDS`; for a cascade the error names what to pass instead."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if str(value).endswith("-cascade"):
            raise cascade_refused(str(value))
        return super().convert(value, param, ctx)


@click.command(
    cls=GroupedCommand,
    groups={
        "App": "--artifact --allow-failed --engine",
        "Output": "--out --single-file --json",
        "Android": "--apk --apk-key --android-project --android-package",
        "Try it": "--serve --host --port",
    },
)
@click.argument("bundle", type=FilledPath(path_type=Path))
@click.option(
    "--artifact",
    type=_Kind(KINDS),
    default=KINDS[0],
    show_default=True,
    help="Artifact to put into the app.",
)
@click.option("--allow-failed", is_flag=True, help="Also take an artifact that failed its check.")
@click.option(
    "--engine",
    type=FilledPath(path_type=Path),
    metavar="DIR",
    help="Folder with the npm packages of the engine. Default: fetched by npm once, then kept in the cache.",
)
@click.option(
    "--out",
    type=FilledPath(path_type=Path),
    metavar="DIR",
    help="Folder for the app; an app that is there is replaced. Default: NAME-app, if nothing else is asked for.",
)
@click.option(
    "--single-file",
    type=FilledPath(path_type=Path),
    metavar="FILE.html",
    help="Write the whole app as one HTML file, which opens from disk.",
)
@click.option(
    "--apk",
    type=FilledPath(path_type=Path),
    metavar="FILE.apk",
    help="Write an Android app that contains the web app; needs no Android tools.",
)
@click.option(
    "--apk-key",
    type=FilledPath(path_type=Path),
    metavar="FILE",
    help="Key that signs it: PEM or PKCS#12, its password in SNAPSHIP_APK_PASSWORD. Default: a debug key of yours, "
    "made once.",
)
@click.option(
    "--android-project",
    type=FilledPath(path_type=Path),
    metavar="DIR",
    help="Write a Gradle project of a native app instead of the web app, to build and change in Android Studio.",
)
@click.option(
    "--android-package",
    metavar="NAME",
    help="Application id of both, e.g. org.example.flowers; keep it for updates. Default: app.snapship.NAME.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--serve", is_flag=True, help="Then serve the folder on this machine until Ctrl-C.")
@click.option(
    "--host",
    default="0.0.0.0",
    show_default=True,
    help="Address for --serve; 127.0.0.1 for this machine only.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port for --serve; 0 picks a free one.",
)
def phone(
    bundle: Path,
    artifact: str,
    allow_failed: bool,
    engine: Path | None,
    out: Path | None,
    single_file: Path | None,
    apk: Path | None,
    apk_key: Path | None,
    android_project: Path | None,
    android_package: str | None,
    as_json: bool,
    serve: bool,
    host: str,
    port: int,
) -> None:
    """Make an app of BUNDLE that classifies on phones, offline, and tests itself there.

    The app is a folder of static files for any web host. When it first starts on a phone, it
    replays the bundle's golden examples and says whether this phone gives the same answers.
    Guide: docs/phone.md.

    \b
    Example:
      snapship phone flowers.bundle --out flowers-app
      snapship phone flowers.bundle --out flowers-app --serve
      snapship phone flowers.bundle --single-file flowers.html --apk flowers.apk
    """
    if out is None and (serve or not (single_file or apk or android_project)):
        out = Path(f"{_name_of(bundle)}-app")
    config = PhoneConfig(
        bundle=bundle,
        out=out,
        single_file=single_file,
        apk=apk,
        apk_key=apk_key,
        android_project=android_project,
        android_package=android_package,
        artifact=artifact,
        allow_failed=allow_failed,
        engine=engine,
    )
    with ExitStack() as stack:
        # SIGTERM like Ctrl-C: npm and temporary files are not left behind.
        stack.enter_context(interrupt_on_terminate())
        # A port in use is known before the work.
        server = stack.enter_context(AppServer(out, host, port)) if serve and out is not None else None
        with StepProgress() as progress:
            made = make_app(config, progress)
        if "android-project" in made.outputs and rules_inside(made.artifact):
            click.echo(
                "Warning: the Kotlin project does not apply the rules of the artifact; see its README.md.",
                err=True,
            )
        if as_json:
            click.echo(json.dumps(made_record(made), indent=2))
        else:
            _print(made, served=serve)
        if server is not None:
            serve_until_stopped(server, host)


def made_record(made: Made) -> dict[str, object]:
    """What was made, as plain data for JSON."""
    return {
        "name": made.app.name,
        "version": made.app.version,
        "artifact": made.artifact.kind,
        "artifact_sha256": made.artifact.sha256,
        "verdict": made.artifact.verdict,
        "engine": f"{made.app.engine.name} {made.app.engine.version} {made.app.engine.build}",
        "files": len(made.app.files),
        "bytes": made.bytes,
        "download_bytes": made.download,
        "rules": rules_inside(made.artifact),
        "outputs": {option: str(path) for option, path in made.outputs.items()},
    }


def rules_inside(artifact: Artifact) -> list[str]:
    """The names of an artifact's rules: ``abstain``, ``sets``, ``known``."""
    names = ("abstain", "sets", "known")
    return [name for name in names if getattr(artifact.rules, name, None) is not None]


def _print(made: Made, *, served: bool) -> None:
    for path in made.outputs.values():
        click.echo(f"Wrote {printable(str(path))}")
    click.echo(
        f"{printable(made.app.name)}: {made.artifact.kind} ({made.artifact.verdict}), version {made.app.version[:12]}, "
        f"{made.download / 1e6:.1f} MB to download ({made.bytes / 1e6:.1f} MB unpacked)"
    )
    if rules := rules_inside(made.artifact):
        click.echo(f"Rules inside: {', '.join(rules)}")
    if "out" in made.outputs and not served:
        click.echo("Put the folder on an https:// host, or try it: add --serve.")


def _name_of(bundle: Path) -> str:
    """The bundle's name on disk, without its ending."""
    name = bundle.resolve().name
    return name.removesuffix(".zip").removesuffix(".bundle") or "bundle"
