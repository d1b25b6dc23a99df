"""Packages a bundle as a zip for AWS Lambda, or as the build context of a container image."""

from serverless.deploy.package.config import PackageConfig, PartSize, WrittenPackage
from serverless.deploy.package.packaging import package

__all__ = ["PackageConfig", "PartSize", "WrittenPackage", "package"]
