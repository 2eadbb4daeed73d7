"""Makes the tables beside it from the published descriptions, which a person fetches by name:

    npm pack @sentry/api @octokit/openapi; pip download --no-deps datadog-api-client

usage: extract.py SENTRY_TYPES_D_TS API_GITHUB_COM_JSON DATADOG_MODELS_FOLDER

Only names and types of fields are taken: an object is {"fields": {NAME: TYPE}, "required": [NAME]}, a type a list of
"string", "number", "boolean", "null", "array", "object", "any".
"""
import json, os, re, sys

sentry, github, datadog = sys.argv[1:4]
here = os.path.dirname(os.path.abspath(__file__))


def write(name, value):
    with open(os.path.join(here, name + ".json"), "w") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.write("\n")


# Sentry: TypeScript object types, one level deep.
text = re.sub(r"/\*.*?\*/", "", open(sentry).read(), flags=re.S)


def block(start):
    depth, at = 0, text.index("{", start)
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[at + 1 : end]


def fields(body):
    found, required, depth, part = {}, [], 0, ""
    for c in body + ";":
        if c in "{<([":
            depth += 1
        if c in "})>]":
            depth -= 1
        if c == ";" and depth == 0:
            m = re.match(r"\s*'?([\w.]+)'?(\?)?:(.*)", part, re.S)
            if m:
                found[m[1]] = kind(m[3].strip())
                if not m[2]:
                    required.append(m[1])
            part = ""
        else:
            part += c
    return {"fields": found, "required": required}


def kind(ts):
    depth, parts, part = 0, [], ""
    for c in ts + "|":
        if c in "{<(":
            depth += 1
        if c in "})>":
            depth -= 1
        if c == "|" and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += c
    kinds = set()
    for p in parts:
        if p in ("string", "number", "boolean", "null"):
            kinds.add(p)
        elif p.startswith("'"):
            kinds.add("string")
        elif p.startswith("Array<"):
            kinds.add("array")
        elif p.startswith("{"):
            kinds.add("object")
        else:
            kinds.add("any")
    return sorted(kinds)


def operation(name):
    data = block(text.index("export type %sData = {" % name))
    url = re.search(r"url: '([^']+)'", data)[1]
    at = data.find("query?: {")
    query = sorted(fields(block(text.index(data) + at))["fields"]) if at >= 0 else []
    at = data.find("body: {")
    body = sorted(fields(block(text.index(data) + at))["fields"]) if at >= 0 else []
    return url, {"query": query, "body": body}


def response(name):
    return fields(block(text.index("200:", text.index("export type %sResponses = {" % name))))


operations = {}
for method, name in [
    ("GET", "ListAnOrganizationSissues"),
    ("GET", "RetrieveAnIssue"),
    ("PUT", "UpdateAnIssue"),
    ("GET", "RetrieveAnIssueEvent"),
    ("GET", "RetrieveAProject"),
]:
    url, rest = operation(name)
    operations[method + " " + url] = rest
write("sentry", {
    "operations": operations,
    "objects": {
        "listed": response("ListAnOrganizationSissues"),
        "issue": response("RetrieveAnIssue"),
        "updated": response("UpdateAnIssue"),
        "event": response("RetrieveAnIssueEvent"),
    },
})

# GitHub: OpenAPI.
api = json.load(open(github))


def resolved(value):
    while isinstance(value, dict) and "$ref" in value:
        at = api
        for part in value["$ref"][2:].split("/"):
            at = at[part]
        value = at
    return value


def github_kind(schema):
    schema = resolved(schema)
    kinds = {"null"} if schema.get("nullable") else set()
    for other in schema.get("oneOf", []) + schema.get("anyOf", []) + schema.get("allOf", []):
        kinds |= set(github_kind(other))
    told = schema.get("type")
    told = told if isinstance(told, list) else [told] if told else []
    kinds |= {{"integer": "number"}.get(t, t) for t in told}
    return sorted(kinds) or ["any"]


def github_object(name):
    schema = api["components"]["schemas"][name]
    return {
        "fields": {k: github_kind(v) for k, v in schema["properties"].items()},
        "required": sorted(schema["required"]),
    }


operations = {}
for method, path in [
    ("GET", "/repos/{owner}/{repo}/issues"),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}"),
    ("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}"),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/assignees"),
]:
    op = api["paths"][path][method.lower()]
    body = op.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    operations[method + " " + path] = {
        "query": sorted(p["name"] for p in map(resolved, op.get("parameters", [])) if p["in"] == "query"),
        "body": sorted(resolved(body).get("properties", {})),
    }
examples = api["components"]["examples"]
write("github", {
    "operations": operations,
    "objects": {"issue": github_object("issue"), "comment": github_object("issue-comment")},
    "examples": {
        "issue": examples["issue-items"]["value"][0],
        "comment": examples["issue-comment-items"]["value"][0],
    },
})


# Datadog: its Python client, which is generated from the OpenAPI description.
def datadog_object(name):
    source = open(os.path.join(datadog, name + ".py")).read()
    types = source[source.index("return {") :]
    types = types[: types.index("}")]
    found, required = {}, []
    init = source[source.index("def __init__") :]
    init = init[: init.index("**kwargs")]
    for field, kind in re.findall(r'"(\w+)": \((.+?),\)', types):
        arg = re.search(r"\b%s: (\S+)" % re.escape(field), init)
        optional = arg is None or "UnsetType" in init[arg.start() :].split("\n")[0]
        field = field.lstrip("_")
        found[field] = [
            {"str": "string", "int": "number", "bool": "boolean", "UUID": "string"}.get(
                kind, "array" if kind.startswith("[") else "string" if kind.endswith(("State", "Type", "Platform", "OrderBy", "Persona", "Track")) else "object")
        ]
        if not optional:
            required.append(field)
    return {"fields": found, "required": sorted(required)}


def datadog_values(name):
    source = open(os.path.join(datadog, name + ".py")).read()
    allowed = source[source.index("allowed_values = {") :]
    return re.findall(r'"([^"]+)"', allowed[: allowed.index("}")])


write("datadog", {
    "operations": {
        "POST /api/v2/error-tracking/issues/search": {"query": ["include"], "body": ["data"]},
        "GET /api/v2/error-tracking/issues/{issue_id}": {"query": ["include"], "body": []},
        "PUT /api/v2/error-tracking/issues/{issue_id}/state": {"query": [], "body": ["data"]},
        "PUT /api/v2/error-tracking/issues/{issue_id}/assignee": {"query": [], "body": ["data"]},
    },
    "objects": {
        "attributes": datadog_object("issue_attributes"),
        "issue": datadog_object("issue"),
        "result": datadog_object("issues_search_result"),
        "search": datadog_object("issues_search_request_data_attributes"),
        "state": datadog_object("issue_update_state_request_data"),
        "assignee": datadog_object("issue_update_assignee_request_data"),
    },
    "values": {
        "order_by": datadog_values("issues_search_request_data_attributes_order_by"),
        "persona": datadog_values("issues_search_request_data_attributes_persona"),
        "state": datadog_values("issue_state"),
        "state_type": datadog_values("issue_update_state_request_data_type"),
        "assignee_type": datadog_values("issue_update_assignee_request_data_type"),
        "search_type": datadog_values("issues_search_request_data_type"),
        "result_type": datadog_values("issues_search_result_type"),
        "issue_type": datadog_values("issue_type"),
    },
})
