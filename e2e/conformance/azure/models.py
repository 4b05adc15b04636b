"""Holds raw answers of ARM against the models that Microsoft publishes with its SDK (azure-mgmt-network).

A property that the model does not have, an enum value that is not one of the published ones, a value of another JSON
type, or a missing required property is a defect. `resourceGuid` and `allowGlobalReach` are in real answers although
the models of some types lack them.
"""

import re
import typing
from enum import EnumMeta

from azure.mgmt.network import models as published
from azure.mgmt.network._utils import model_base

ALLOWED_UNKNOWN = {"resourceGuid", "allowGlobalReach"}
_fields = {}


def fields(model):
    """Property name on the wire -> type, of a model and its bases."""
    if model not in _fields:
        found = {}
        for cls in reversed(model.__mro__):
            for attribute, field in vars(cls).items():
                if type(field).__name__ == "_RestField":
                    hint = cls.__annotations__[attribute]
                    space = {"_models": published, "models": published, "Optional": typing.Optional, "Union": typing.Union}
                    space.update(vars(typing))
                    space.update(vars(__import__("datetime")))
                    space["datetime"] = __import__("datetime")
                    found[field._rest_name_input or attribute] = resolve(hint, space)
        _fields[model] = found
    return _fields[model]


def resolve(hint, space):
    """A type hint without forward references."""
    if isinstance(hint, str):
        return resolve(eval(hint, space), space)  # noqa: S307 - hints of the SDK's own source
    if isinstance(hint, typing.ForwardRef):
        return resolve(eval(hint.__forward_arg__, space), space)  # noqa: S307
    origin = typing.get_origin(hint)
    if origin is None:
        return hint
    args = tuple(resolve(a, space) for a in typing.get_args(hint))
    if origin is typing.Union:
        return typing.Union[args]
    return origin[args]


def is_model(hint):
    return isinstance(hint, type) and issubclass(hint, model_base.Model)


def check(value, hint, path, defects):
    """Appends what is wrong with `value` to `defects`."""
    if hint in (typing.Any, object):
        return
    if typing.get_origin(hint) is typing.Union:
        options = [a for a in typing.get_args(hint)]
        if type(None) in options:
            if value is None:
                return
            options.remove(type(None))
        enums = [o for o in options if isinstance(o, EnumMeta)]
        if enums:
            words = [member.value for e in enums for member in e]
            if value not in words:
                defects.append(f"{path}: {value!r} is none of {words}")
            return
        if len(options) == 1:
            return check(value, options[0], path, defects)
        attempts = []
        for option in options:
            wrong = []
            check(value, option, path, wrong)
            if not wrong:
                return
            attempts.append(wrong)
        defects.extend(min(attempts, key=len))
        return
    origin = typing.get_origin(hint)
    if origin is list:
        if not isinstance(value, list):
            defects.append(f"{path}: {value!r} is no list")
            return
        for i, item in enumerate(value):
            check(item, typing.get_args(hint)[0], f"{path}[{i}]", defects)
    elif origin is dict:
        if not isinstance(value, dict):
            defects.append(f"{path}: {value!r} is no object")
            return
        for key, item in value.items():
            check(item, typing.get_args(hint)[1], f"{path}.{key}", defects)
    elif is_model(hint):
        check_model(value, hint, path, defects)
    elif hint is bool:
        if not isinstance(value, bool):
            defects.append(f"{path}: {value!r} is no boolean")
    elif hint is int:
        if isinstance(value, bool) or not isinstance(value, int):
            defects.append(f"{path}: {value!r} is no integer")
    elif hint is float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            defects.append(f"{path}: {value!r} is no number")
    elif isinstance(hint, EnumMeta):
        if value not in [member.value for member in hint]:
            defects.append(f"{path}: {value!r} is none of {[m.value for m in hint]}")
    elif not isinstance(value, str):  # str, and what travels as one (dates, durations)
        defects.append(f"{path}: {value!r} is no string")


def check_model(value, model, path, defects):
    if not isinstance(value, dict):
        defects.append(f"{path}: {value!r} is no {model.__name__}")
        return
    known = fields(model)
    for name, item in value.items():
        if name in known:
            check(item, known[name], f"{path}.{name}", defects)
        elif name not in ALLOWED_UNKNOWN:
            defects.append(f"{path}.{name}: {model.__name__} has no such property")
    for name, hint in known.items():
        optional = typing.get_origin(hint) is typing.Union and type(None) in typing.get_args(hint)
        if not optional and name not in value:
            defects.append(f"{path}.{name}: required by {model.__name__} and missing")


class Table:
    """A list envelope: `value`, and `nextLink` where there is more."""

    def __init__(self, item):
        self.item = item

    def check(self, value, path, defects):
        if not isinstance(value, dict) or not isinstance(value.get("value"), list):
            defects.append(f"{path}: {value!r} is no list envelope")
            return
        for name in value:
            if name not in ("value", "nextLink"):
                defects.append(f"{path}.{name}: a list has no such property")
        for i, item in enumerate(value["value"]):
            check(item, self.item, f"{path}.value[{i}]", defects)


M = published
# Path under the provider (lower case), verb -> what a 200 or 201 holds. The first match counts.
SHAPES = [
    (r"GET expressrouteserviceproviders$", Table(M.ExpressRouteServiceProvider)),
    (r"(POST|RESULT) networkinterfaces/[^/]+/effectiveroutetable$", Table(M.EffectiveRoute)),
    (r"(POST|RESULT) .*/routetables/(primary|secondary)$", Table(M.ExpressRouteCircuitRoutesTable)),
    (r"(POST|RESULT) .*/routetablessummary/[^/]+$", Table(M.ExpressRouteCircuitRoutesTableSummary)),
    (r"(POST|RESULT) .*/arptables/[^/]+$", Table(M.ExpressRouteCircuitArpTable)),
    (r"(POST|RESULT) virtualnetworkgateways/[^/]+/getbgppeerstatus$", Table(M.BgpPeerStatus)),
    (r"(POST|RESULT) virtualnetworkgateways/[^/]+/get(learned|advertised)routes$", Table(M.GatewayRoute)),
    (r"POST expressroutecircuits/[^/]+/authorizations/[^/]+/listkeys$", M.ExpressRouteAuthorizationKey),
    (r"GET expressroutecircuits/[^/]+(/peerings/[^/]+)?/stats$", M.ExpressRouteCircuitStats),
    (r"GET virtualnetworkgateways/[^/]+/connections$", Table(M.VirtualNetworkGatewayConnectionListEntity)),
    (r"(GET|PUT) connections/[^/]+/sharedkey$", M.ConnectionSharedKey),
]
for plural, model, children in [
    ("virtualnetworks", M.VirtualNetwork, {"subnets": M.Subnet}),
    ("networkinterfaces", M.NetworkInterface, {}),
    ("publicipaddresses", M.PublicIPAddress, {}),
    ("virtualnetworkgateways", M.VirtualNetworkGateway, {}),
    ("localnetworkgateways", M.LocalNetworkGateway, {}),
    ("connections", M.VirtualNetworkGatewayConnection, {}),
    ("networksecuritygroups", M.NetworkSecurityGroup, {}),
    ("routetables", M.RouteTable, {"routes": M.Route}),
    (
        "expressroutecircuits",
        M.ExpressRouteCircuit,
        {"peerings": M.ExpressRouteCircuitPeering, "authorizations": M.ExpressRouteCircuitAuthorization},
    ),
]:
    SHAPES.append((rf"GET {plural}$", Table(model)))
    SHAPES.append((rf"(GET|PUT|PATCH) {plural}/[^/]+$", model))
    for child, child_model in children.items():
        SHAPES.append((rf"GET {plural}/[^/]+/{child}$", Table(child_model)))
        SHAPES.append((rf"(GET|PUT) {plural}/[^/]+/{child}/[^/]+$", child_model))


def shape(verb, path):
    """What a good answer to this request holds; `None` when nothing is published for it."""
    tail = path.lower().split("/providers/microsoft.network/", 1)[-1]
    for pattern, found in SHAPES:
        if re.match(pattern, f"{verb} {tail}"):
            return found
    return None


def check_error(body, path, defects):
    """ARM's error envelope (azure.mgmt.core reads code, message, target and details)."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        defects.append(f"{path}: {body!r} has no error object")
        return
    for name in ("code", "message"):
        if not isinstance(error.get(name), str) or not error[name]:
            defects.append(f"{path}.error.{name} is missing")
    for name in error:
        if name not in ("code", "message", "target", "details", "innererror", "additionalInfo"):
            defects.append(f"{path}.error.{name} is not of ARM's envelope")
    for i, detail in enumerate(error.get("details", [])):
        if not isinstance(detail.get("code"), str) or not isinstance(detail.get("message"), str):
            defects.append(f"{path}.error.details[{i}]: {detail!r}")


def self_test():
    """The checks find what they are there for."""
    good = {"id": "x", "properties": {"provisioningState": "Succeeded", "resourceGuid": "g", "peerings": []}}
    cases = [
        (M.ExpressRouteCircuit, good, 0),
        (M.ExpressRouteCircuit, {**good, "colour": "blue"}, 1),
        (M.ExpressRouteCircuit, {"properties": {"provisioningState": "Done"}}, 1),
        (M.ExpressRouteCircuit, {"properties": {"stag": "21"}}, 1),
        (M.ExpressRouteCircuit, {"properties": {"peerings": [{"properties": {"vlanId": True}}]}}, 1),
        (M.VirtualNetworkGatewayConnection, {"properties": {"connectionType": "IPsec"}}, 1),
        (M.ConnectionSharedKey, {"value": []}, 1),
        (M.ConnectionSharedKey, {}, 1),
    ]
    for model, body, expected in cases:
        defects = []
        check(body, model, "$", defects)
        assert len(defects) == expected, f"{model.__name__} {body}: {defects}"
