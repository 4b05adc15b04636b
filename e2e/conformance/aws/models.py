"""Holds raw answers of AWS services against the models that botocore ships: unknown elements, values of the wrong type,
enum values that the model lacks and missing required members are defects. Knows nothing of any single operation."""

import json
import re
import xml.etree.ElementTree as ET

# Errors of the protocol itself, which no service models (the awsJson and EC2 Query protocols' common errors).
COMMON_JSON_ERRORS = {
    "InvalidSignatureException",
    "UnrecognizedClientException",
    "ExpiredTokenException",
    "UnknownOperationException",
    "SerializationException",
    "ThrottlingException",
}


def check(model, operation, status, headers, body):
    """Defects of one answer, as a list of texts."""
    protocol = model.resolved_protocol
    op = model.operation_model(operation)
    if protocol == "json":
        return check_json(model, op, status, headers, body)
    return check_xml(model, op, status, headers, body, protocol)


# ---- awsJson ------------------------------------------------------------------------------------------------------


def check_json(model, op, status, headers, body):
    defects = []
    kind = headers.get("content-type", "")
    if not kind.startswith("application/x-amz-json-1.1"):
        defects.append(f"content-type is {kind!r}")
    try:
        value = json.loads(body)
    except ValueError:
        return defects + ["the body is not JSON"]
    if status >= 300:
        code = value.get("__type", "") if isinstance(value, dict) else ""
        known = {shape.name for shape in op.error_shapes} | COMMON_JSON_ERRORS
        if code not in known:
            defects.append(f"{code!r} is neither modelled for {op.name} nor common to the protocol")
        if set(value) - {"__type", "message"} or not value.get("message"):
            defects.append(f"an error has __type and message: {sorted(value)}")
        return defects
    if op.output_shape is None:
        return defects if value == {} else defects + ["a body where the model has none"]
    json_shape(op.output_shape, value, "$", defects)
    return defects


def json_shape(shape, value, at, defects):
    kind = shape.type_name
    if value is None:
        defects.append(f"{at} is null")
    elif kind == "structure":
        if not isinstance(value, dict):
            defects.append(f"{at} is not an object")
            return
        names = {m.serialization.get("name", n): n for n, m in shape.members.items()}
        for key, item in value.items():
            if key in names:
                json_shape(shape.members[names[key]], item, f"{at}.{key}", defects)
            else:
                defects.append(f"{at}.{key} is unknown")
        missing(shape, {names[k] for k in value if k in names}, at, defects)
    elif kind == "list":
        if not isinstance(value, list):
            defects.append(f"{at} is not a list")
            return
        bounds(shape, len(value), at, defects)
        for i, item in enumerate(value):
            json_shape(shape.member, item, f"{at}[{i}]", defects)
    elif kind == "map":
        for key, item in value.items():
            json_shape(shape.value, item, f"{at}.{key}", defects)
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            defects.append(f"{at} is not an integer: {value!r}")
        else:
            integer(kind, value, at, defects)
    elif kind == "boolean":
        if not isinstance(value, bool):
            defects.append(f"{at} is not a boolean: {value!r}")
    elif kind == "timestamp":
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            defects.append(f"{at} is not epoch seconds: {value!r}")
    elif kind == "string":
        if not isinstance(value, str):
            defects.append(f"{at} is not a string: {value!r}")
        else:
            text(shape, value, at, defects)
    else:
        defects.append(f"{at}: this checker does not know the type {kind}")


# ---- EC2 Query and Query ------------------------------------------------------------------------------------------


def split(tag):
    """Namespace and name of an element."""
    match = re.match(r"\{(.*)\}(.*)", tag)
    return match.groups() if match else ("", tag)


def check_xml(model, op, status, headers, body, protocol):
    defects = []
    kind = headers.get("content-type", "")
    if not kind.startswith("text/xml"):
        defects.append(f"content-type is {kind!r}")
    try:
        root = ET.fromstring(body)
    except ET.ParseError as e:
        return defects + [f"the body is not XML: {e}"]
    if status >= 300:
        return defects + (ec2_error(root) if protocol == "ec2" else query_error(root))
    space, name = split(root.tag)
    if name != f"{op.name}Response":
        defects.append(f"the root is {name}")
    wanted = (
        f"http://ec2.amazonaws.com/doc/{model.api_version}/"
        if protocol == "ec2"
        else model.metadata["xmlNamespace"]
    )
    if space != wanted:
        defects.append(f"the namespace is {space}")
    if protocol == "ec2":
        ids = [c for c in root if split(c.tag)[1] == "requestId"]
        if len(ids) != 1 or not ids[0].text:
            defects.append("no requestId")
        rest = [c for c in root if split(c.tag)[1] != "requestId"]
        if op.output_shape is None:
            # What the model leaves out of void operations is `return`, which EC2 documents as true.
            if [(split(c.tag)[1], c.text) for c in rest] not in ([], [("return", "true")]):
                defects.append("elements where the model has none")
        else:
            xml_structure(op.output_shape, rest, "$", defects, "ec2")
        return defects
    parts = {split(c.tag)[1]: c for c in root}
    if set(parts) != {f"{op.name}Result", "ResponseMetadata"}:
        return defects + [f"the root has {sorted(parts)}"]
    xml_structure(op.output_shape, list(parts[f"{op.name}Result"]), "$", defects, "query")
    return defects


def ec2_error(root):
    outline = [split(root.tag)[1], sorted(split(c.tag)[1] for c in root)]
    if outline != ["Response", ["Errors", "RequestID"]]:
        return [f"an error of EC2 has another outline: {outline}"]
    errors = root.findall("Errors/Error")
    fine = len(errors) == 1 and [c.tag for c in errors[0]] == ["Code", "Message"]
    return [] if fine and all(c.text for c in errors[0]) else ["an error has one Code and one Message"]


def query_error(root):
    parts = {split(c.tag)[1]: c for c in root}
    if split(root.tag)[1] != "ErrorResponse" or set(parts) != {"Error", "RequestId"}:
        return [f"an error of STS has another outline: {sorted(parts)}"]
    inner = [split(c.tag)[1] for c in parts["Error"]]
    return [] if inner == ["Type", "Code", "Message"] else [f"an error has {inner}"]


def xml_structure(shape, children, at, defects, protocol):
    names = {m.serialization.get("name", n): n for n, m in shape.members.items()}
    seen = set()
    for child in children:
        name = split(child.tag)[1]
        if name not in names:
            defects.append(f"{at}.{name} is unknown")
            continue
        if name in seen:
            defects.append(f"{at}.{name} is there twice")
        seen.add(name)
        xml_shape(shape.members[names[name]], child, f"{at}.{name}", defects, protocol)
    missing(shape, {names[n] for n in seen}, at, defects)


def xml_shape(shape, element, at, defects, protocol):
    kind, value = shape.type_name, element.text or ""
    if kind == "structure":
        xml_structure(shape, list(element), at, defects, protocol)
        return
    if kind == "list":
        item = shape.member.serialization.get("name", "item" if protocol == "ec2" else "member")
        bounds(shape, len(element), at, defects)
        for i, child in enumerate(element):
            if split(child.tag)[1] != item:
                defects.append(f"{at}: an entry is called {split(child.tag)[1]} and not {item}")
            else:
                xml_shape(shape.member, child, f"{at}[{i}]", defects, protocol)
        return
    if len(element):
        defects.append(f"{at} has elements inside")
    elif kind in ("integer", "long"):
        if not re.fullmatch(r"-?\d+", value):
            defects.append(f"{at} is not an integer: {value!r}")
        else:
            integer(kind, int(value), at, defects)
    elif kind == "boolean":
        if value not in ("true", "false"):
            defects.append(f"{at} is not a boolean: {value!r}")
    elif kind == "timestamp":
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value):
            defects.append(f"{at} is not an ISO 8601 time: {value!r}")
    elif kind == "string":
        text(shape, value, at, defects)
    else:
        defects.append(f"{at}: this checker does not know the type {kind}")


# ---- both ---------------------------------------------------------------------------------------------------------


def missing(shape, have, at, defects):
    for name in shape.required_members:
        if name not in have:
            defects.append(f"{at} lacks the required {name}")


def integer(kind, value, at, defects):
    limit = 2**31 if kind == "integer" else 2**63
    if not -limit <= value < limit:
        defects.append(f"{at} does not fit {kind}: {value}")


def bounds(shape, size, at, defects):
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if size < low or (high is not None and size > high):
        defects.append(f"{at} has {size} entries or characters, not {low} to {high}")


def text(shape, value, at, defects):
    bounds(shape, len(value), at, defects)
    if shape.enum and value not in shape.enum:
        defects.append(f"{at} is {value!r}, not one of {', '.join(shape.enum)}")
    pattern = shape.metadata.get("pattern", "")
    # Python's regular expressions know no Unicode classes, and no surrogate ranges.
    if pattern and "\\p" not in pattern and "\\u" not in pattern and not re.fullmatch(pattern, value):
        defects.append(f"{at} does not match {pattern}: {value!r}")
