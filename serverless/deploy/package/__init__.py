"""Packages a bundle as a zip for AWS Lambda, or as the build context of a container image."""

from serverless.deploy.package.config import PackageConfig
from serverless.deploy.package.packaging import package
from serverless.deploy.package.result import PartSize, WrittenPackage

__all__ = ["PackageConfig", "PartSize", "WrittenPackage", "package"]
