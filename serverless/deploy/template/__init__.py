"""A deployment as a plain CloudFormation template: pure functions, no AWS library, no network.

``template`` makes it, ``text`` writes it, ``describe`` says what each resource is for.
"""

from serverless.deploy.template.building import template
from serverless.deploy.template.code import Code
from serverless.deploy.template.describing import Row, describe
from serverless.deploy.template.function import logical_id_of_version
from serverless.deploy.template.writing import text

__all__ = ["Code", "Row", "describe", "logical_id_of_version", "template", "text"]
