"""A deployment as a plain CloudFormation template: pure functions, no AWS library, no network.

``template`` builds it, ``text`` writes it, ``purpose`` explains a resource.
"""

from serverless.deploy.template.building import purpose, template, text
from serverless.deploy.template.function import Code, logical_id_of_version

__all__ = ["Code", "logical_id_of_version", "purpose", "template", "text"]
