"""The URL of the endpoint, and who may use it."""

from __future__ import annotations

from typing import Any

from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.template import function
from serverless.deploy.template.function import arn

URL = "FunctionUrl"
API = "HttpApi"

IDS = frozenset(
    {
        URL, "PublicUrl", "PublicInvoke",
        API, "HttpIntegration", "HttpRoute", "HttpPreflight", "HttpStage", "HttpInvoke",
    }
)  # fmt: skip
"""Logical ids of every resource that a URL may need."""

PREFLIGHT_SECONDS = 3600
"""How long a browser caches the answer to a preflight request."""

# As in serverless/app/http/middleware.py, plus the headers of a signature.
_METHODS = ["GET", "POST"]
_HEADERS = [
    "authorization",
    "content-type",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-request-id",
]
_EXPOSED = ["retry-after", "x-request-id"]


def resources(deployment: Deployment) -> dict[str, Any]:
    """The function URL or the HTTP API, with the permissions to call the alias.

    Args:
        deployment: The desired endpoint.
    """
    return _http_api(deployment) if deployment.front == "http-api" else _function_url(deployment)


def url(deployment: Deployment) -> dict[str, Any]:
    """The URL, with a trailing slash.

    Args:
        deployment: The desired endpoint.
    """
    if deployment.front == "http-api":
        return {"Fn::Sub": f"https://${{{API}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/"}
    return {"Fn::GetAtt": [URL, "FunctionUrl"]}


def _function_url(deployment: Deployment) -> dict[str, Any]:
    public = deployment.auth != "aws-iam"
    found: dict[str, Any] = {
        URL: {
            "Type": "AWS::Lambda::Url",
            "DependsOn": function.ALIAS,
            "Properties": {
                "TargetFunctionArn": {"Ref": function.FUNCTION},
                "Qualifier": function.ALIAS_NAME,
                "AuthType": "NONE" if public else "AWS_IAM",
                "InvokeMode": "BUFFERED",
                **_cors(deployment, "Cors"),
            },
        }
    }
    if public:
        # Since October 2025 a public URL needs both: to use the URL, and to invoke the function through it.
        found["PublicUrl"] = permission("lambda:InvokeFunctionUrl", "*", {"FunctionUrlAuthType": "NONE"})
        found["PublicInvoke"] = permission("lambda:InvokeFunction", "*", {"InvokedViaFunctionUrl": True})
    return found


def _http_api(deployment: Deployment) -> dict[str, Any]:
    signed = deployment.auth == "aws-iam"
    found = {
        API: {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": deployment.stack,
                "ProtocolType": "HTTP",
                **_cors(deployment, "CorsConfiguration"),
            },
        },
        "HttpIntegration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": API},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Ref": function.ALIAS},
                "PayloadFormatVersion": "2.0",
            },
        },
        "HttpRoute": _route("$default", "AWS_IAM" if signed else "NONE"),
        "HttpStage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": API}, "StageName": "$default", "AutoDeploy": True},
        },
        "HttpInvoke": permission(
            "lambda:InvokeFunction",
            "apigateway.amazonaws.com",
            {"SourceArn": arn("execute-api", f"${{{API}}}/*")},
        ),
    }
    if signed and deployment.cors_origins:
        # Preflight requests are unsigned: a signed $default route would reject them.
        found["HttpPreflight"] = _route("OPTIONS /{proxy+}", "NONE")
    return found


def _route(key: str, auth: str) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": {"Ref": API},
            "RouteKey": key,
            "AuthorizationType": auth,
            "Target": {"Fn::Sub": "integrations/${HttpIntegration}"},
        },
    }


def permission(action: str, principal: str, condition: dict[str, Any]) -> dict[str, Any]:
    """A permission to call the alias.

    Args:
        action: E.g. ``lambda:InvokeFunction``.
        principal: A service, or ``*`` for anyone.
        condition: Properties that narrow the permission.
    """
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": function.ALIAS},
            "Action": action,
            "Principal": principal,
            **condition,
        },
    }


def _cors(deployment: Deployment, name: str) -> dict[str, Any]:
    if not deployment.cors_origins or deployment.app_answers_cors:
        return {}
    settings = {
        "AllowOrigins": list(deployment.cors_origins),
        "AllowMethods": _METHODS,
        "AllowHeaders": _HEADERS,
        "ExposeHeaders": _EXPOSED,
        "MaxAge": PREFLIGHT_SECONDS,
    }
    return {name: settings}
