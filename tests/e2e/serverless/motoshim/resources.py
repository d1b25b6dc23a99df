"""Types of resources that moto's CloudFormation skips or half knows. The services behind them are moto's.

The module's path must have two parts: moto takes the second for the service's name.
"""

from __future__ import annotations

import copy
import os
import uuid
from contextlib import suppress
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.utils import get_backend
from moto.cloudformation.parsing import get_model_map
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel


class Shim(CloudFormationModel):
    """A resource with a physical id and attributes."""

    TYPE = ""
    ATTRIBUTES: tuple[str, ...] = ()

    def __init__(self, physical_id: str, **attributes: str) -> None:
        self._id, self._attributes = physical_id, attributes

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @property
    def physical_resource_id(self) -> str:
        return self._id

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.ATTRIBUTES

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self._attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        return cls.made(resource_name, cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        properties = cloudformation_json["Properties"]
        return cls.changed(original_resource, properties, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        # moto deletes in any order; what belongs to a function may be gone with it.
        with suppress(UnknownFunctionException):
            cls.gone(resource_name, account_id, region_name)

    @classmethod
    def made(cls, name: str, properties: Any, account: str, region: str) -> Any:
        return cls(f"{name}-{uuid.uuid4().hex[:8]}")

    @classmethod
    def changed(cls, old: Any, properties: Any, account: str, region: str) -> Any:
        return old

    @classmethod
    def gone(cls, id: str, account: str, region: str) -> None:
        pass


class Version(Shim):
    """Publishes what the function is now; like AWS, refuses what equals the last version."""

    TYPE = "AWS::Lambda::Version"
    ATTRIBUTES = ("Version", "FunctionArn")

    @classmethod
    def made(cls, name: str, properties: Any, account: str, region: str) -> Any:
        storage = get_backend(account, region)._lambdas
        entry = storage._functions[properties["FunctionName"].rpartition(":")[2]]
        latest, versions = entry["latest"], entry["versions"]
        if properties.get("CodeSha256", latest.code_sha_256) != latest.code_sha_256:
            raise ValueError("CodeSHA256 is different from current CodeSHA256 in $LATEST")
        if versions and content(versions[-1]) == content(latest):
            raise ValueError(f"A version for this Lambda function exists ( {versions[-1].version} )")
        # moto counts the versions that there are, and so would give a number twice.
        number = entry["numbers"] = entry.get("numbers", 0) + 1
        published = copy.copy(latest)
        published.set_version(number)
        versions.append(published)
        storage._arns[published.function_arn] = published
        return cls(published.function_arn, Version=str(number), FunctionArn=published.function_arn)

    @classmethod
    def gone(cls, id: str, account: str, region: str) -> None:
        get_backend(account, region).delete_function(*id.rsplit(":", 1))


class Alias(Shim):
    TYPE = "AWS::Lambda::Alias"
    ATTRIBUTES = ("AliasArn",)

    @classmethod
    def made(cls, name: str, properties: Any, account: str, region: str) -> Any:
        alias = get_backend(account, region).create_alias(
            name=properties["Name"],
            function_name=properties["FunctionName"],
            function_version=str(properties["FunctionVersion"]),
            description="",
            routing_config=routing(properties),
        )
        return cls(alias.arn, AliasArn=alias.arn)

    @classmethod
    def changed(cls, old: Any, properties: Any, account: str, region: str) -> Any:
        get_backend(account, region).update_alias(
            name=properties["Name"],
            function_name=properties["FunctionName"],
            function_version=str(properties["FunctionVersion"]),
            description="",
            routing_config=routing(properties),
        )
        return old

    @classmethod
    def gone(cls, id: str, account: str, region: str) -> None:
        function, _, name = id.rpartition(":")
        get_backend(account, region).delete_alias(name, function)


class Url(Shim):
    TYPE = "AWS::Lambda::Url"
    ATTRIBUTES = ("FunctionUrl", "FunctionArn")

    @classmethod
    def made(cls, name: str, properties: Any, account: str, region: str) -> Any:
        function = properties["TargetFunctionArn"]
        config = get_backend(account, region).create_function_url_config(function, properties)
        address = os.environ.get("MOTOSHIM_FUNCTION_URL") or f"{config.url}/"
        return cls(
            config.function.function_arn, FunctionUrl=address, FunctionArn=config.function.function_arn
        )

    @classmethod
    def changed(cls, old: Any, properties: Any, account: str, region: str) -> Any:
        get_backend(account, region).update_function_url_config(properties["TargetFunctionArn"], properties)
        return old

    @classmethod
    def gone(cls, id: str, account: str, region: str) -> None:
        get_backend(account, region).delete_function_url_config(id)


class Alarm(Shim):
    TYPE = "AWS::CloudWatch::Alarm"
    ATTRIBUTES = ("Arn",)

    @classmethod
    def made(cls, name: str, properties: Any, account: str, region: str) -> Any:
        # Only its name and state matter: moto evaluates no alarm. One of an expression has no metric of its own.
        alarm = cloudwatch_backends[account][region].put_metric_alarm(
            name=properties.get("AlarmName", name),
            namespace=properties.get("Namespace", "none"),
            metric_name=properties.get("MetricName", "none"),
            comparison_operator=properties["ComparisonOperator"],
            evaluation_periods=int(properties["EvaluationPeriods"]),
            period=int(properties.get("Period", 60)),
            threshold=float(properties["Threshold"]),
            statistic=properties.get("Statistic", "Sum"),
            description=properties.get("AlarmDescription", ""),
            dimensions=[],
            alarm_actions=properties.get("AlarmActions", []),
        )
        return cls(alarm.name, Arn=alarm.alarm_arn)

    @classmethod
    def gone(cls, id: str, account: str, region: str) -> None:
        cloudwatch_backends[account][region].delete_alarms([id])


class EventInvokeConfig(Shim):
    TYPE = "AWS::Lambda::EventInvokeConfig"


class HttpApi(Shim):
    TYPE = "AWS::ApiGatewayV2::Api"
    ATTRIBUTES = ("ApiEndpoint", "ApiId")


class Integration(Shim):
    TYPE = "AWS::ApiGatewayV2::Integration"


class Route(Shim):
    TYPE = "AWS::ApiGatewayV2::Route"


class Stage(Shim):
    TYPE = "AWS::ApiGatewayV2::Stage"


def install() -> None:
    kinds = (Version, Alias, Url, Alarm, EventInvokeConfig, HttpApi, Integration, Route, Stage)
    get_model_map().update({kind.TYPE: kind for kind in kinds})


def routing(properties: Any) -> dict[str, Any]:
    """An alias's shares as the API has them, where CloudFormation has a list."""
    weights = properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
    return {"AdditionalVersionWeights": {w["FunctionVersion"]: float(w["FunctionWeight"]) for w in weights}}


def content(function: Any) -> tuple[Any, ...]:
    """What a version keeps."""
    return (
        function.code_sha_256,
        function.environment_vars,
        function.memory_size,
        function.timeout,
        function.run_time,
    )
