"""Which command lives where: names and one-line helps, so that ``--help`` imports no command."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command that is not imported yet.

    Attributes:
        name: The name on the command line, and of the click command in its module.
        module: The module that defines it.
        help: One line for the list of commands.
    """

    name: str
    module: str
    help: str


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Train": (
        Entry("train", "trainer.cli", "Train a classifier on labelled images."),
        Entry("models", "trainer.cli", "List the available architectures."),
        Entry("evaluate", "trainer.evaluate_cli", "Measure the accuracy of a run or a bundle."),
        Entry("data", "trainer.data_cli", "Check a data set, or decode it, before training."),
    ),
    "Export and check": (
        Entry("export", "exporter.cli", "Convert a run into a bundle of model files."),
        Entry("check", "exporter.check_cli", "Fail when a model file is worse than the full model."),
    ),
    "Run": (
        Entry("predict", "edge_runtime.cli.predict_cli", "Classify images."),
        Entry("score", "cluster.score_cli", "Classify any number of photos, and store the answers."),
        Entry("selftest", "edge_runtime.cli.info_cli", "Replay a bundle's golden examples on this machine."),
        Entry("info", "edge_runtime.cli.info_cli", "Show a bundle's contents and verify its files."),
        Entry("bench", "edge_runtime.cli.bench_cli", "Measure a bundle's speed on this machine."),
        Entry(
            "pull", "edge_runtime.cli.update_cli", "Download, verify and test a bundle, then switch to it."
        ),
        Entry("sign", "edge_runtime.cli.update_cli", "Sign a bundle, so that devices can reject others."),
    ),
    "Serve": (
        Entry("serve", "serverless.serving.cli", "Serve a bundle over HTTP on this machine."),
        Entry("keys", "serverless.serving.cli", "Create and test API keys for an endpoint."),
    ),
    "Phone": (Entry("phone", "phone.cli", "Make an app that classifies on phones and tests itself there."),),
    "Cloud": (
        Entry("package", "serverless.deploy.package.cli", "Build the zip package for AWS Lambda."),
        Entry("cost", "serverless.deploy.cost.cli", "Estimate the monthly cost of an endpoint."),
        Entry("deploy", "serverless.deploy.deploy_cli", "Create or update an endpoint in the cloud."),
        Entry("status", "serverless.deploy.manage.cli", "Show endpoints: versions, alarms, addresses."),
        Entry("invoke", "serverless.deploy.manage.cli", "Classify images with a deployed endpoint."),
        Entry("logs", "serverless.deploy.manage.cli", "Show an endpoint's log."),
        Entry("rollback", "serverless.deploy.manage.cli", "Return to the previous version."),
        Entry("destroy", "serverless.deploy.manage.cli", "Delete an endpoint and everything made for it."),
    ),
    "Tools": (
        Entry("run", "snapship.run.cli", "Train, export and check from a recipe."),
        Entry("demo", "snapship.demo", "Train, export, check and predict on included images."),
        Entry("doctor", "snapship.doctor", "Show what is installed and what is missing."),
    ),
}
"""Commands by section, in the order of ``snapship --help``."""

COMMANDS: dict[str, Entry] = {entry.name: entry for entries in SECTIONS.values() for entry in entries}
"""Commands by name."""
