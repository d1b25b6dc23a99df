"""A zip for AWS Lambda, or a build context for its container image, of a bundle."""

from serverless.deploy.package.config import Arch, PackageConfig, PythonVersion
from serverless.deploy.package.packaging import package
from serverless.deploy.package.result import PartSize, WrittenPackage

__all__ = ["Arch", "PackageConfig", "PartSize", "PythonVersion", "WrittenPackage", "package"]
