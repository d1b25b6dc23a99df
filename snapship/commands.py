"""Which command lives where: names and one-line helps, so that ``--help`` imports no command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A command that is not imported yet.

    Attributes:
        name: What the user types.
        target: ``module:function`` of its click command.
        help: One line for the list of commands.
    """

    name: str
    target: str
    help: str


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Train": (
        Entry("train", "trainer.cli:train", "Train a classifier on labelled images."),
        Entry("models", "trainer.cli:models", "List the architectures."),
        Entry("evaluate", "trainer.evaluate_cli:evaluate", "Measure a run or a bundle on labelled images."),
        Entry("data", "trainer.care.cli:data", "Look a data set over before training."),
    ),
    "Export and check": (
        Entry("export", "exporter.cli:export", "Turn a run into a bundle of model files."),
        Entry("check", "exporter.check_cli:check", "Fail when a model file is worse than the full model."),
    ),
    "Run": (
        Entry("predict", "edge_runtime.predict_cli:predict", "Name what images show."),
        Entry("selftest", "edge_runtime.cli:selftest", "Replay a bundle's golden examples here."),
        Entry("info", "edge_runtime.cli:info", "Show what a bundle holds and verify its files."),
        Entry("bench", "edge_runtime.bench_cli:bench", "Measure how fast a bundle answers here."),
        Entry(
            "pull", "edge_runtime.updates.cli:pull", "Fetch a bundle, verify and try it, then switch to it."
        ),
        Entry(
            "sign", "edge_runtime.updates.cli:sign", "Sign a bundle, so that devices can refuse any other."
        ),
    ),
    "Serve": (
        Entry("serve", "serverless.cli:serve", "Answer HTTP requests on this machine."),
        Entry("keys", "serverless.keys_cli:keys", "Make API keys for an endpoint, and try them."),
    ),
    "Cloud": (
        Entry("package", "serverless.deploy.package_cli:package", "Make the zip that a cloud function runs."),
        Entry(
            "cost", "serverless.deploy.cost.cli:cost", "Estimate what a bundle costs a month in the cloud."
        ),
        Entry("deploy", "serverless.deploy.deploy_cli:deploy", "Make or update an endpoint in the cloud."),
        Entry("status", "serverless.deploy.manage_cli:status", "Show endpoints: versions, alarms, address."),
        Entry("invoke", "serverless.deploy.manage_cli:invoke", "Ask an endpoint what images show."),
        Entry("logs", "serverless.deploy.manage_cli:logs", "Show an endpoint's log."),
        Entry("rollback", "serverless.deploy.manage_cli:rollback", "Go back to the version before."),
        Entry("destroy", "serverless.deploy.manage_cli:destroy", "Remove an endpoint and all it made."),
    ),
    "Tools": (
        Entry("run", "snapship.run.cli:run", "Train, export and check as a recipe says."),
        Entry("demo", "snapship.demo:demo", "Train, export, check and predict on embedded images."),
        Entry("doctor", "snapship.doctor:doctor", "Show what is installed and what is missing."),
    ),
}
"""Commands by section, in the order of ``snapship --help``."""

COMMANDS: dict[str, Entry] = {entry.name: entry for entries in SECTIONS.values() for entry in entries}
"""The same by name."""
