"""What schemathesis can't know from openapi.yaml: a body that fits the document may be wrong all the same."""

import hashlib
import json
import re

import schemathesis

CONTENT = {"$ref": "#/components/schemas/Content"}
NULL = {"type": "null"}

# Field and beginning of the detail: what no schema says of a body that is refused with 400.
BEYOND_SCHEMAS = [
    # Names that belong together, in a batch.
    (r"/(submissions|tests|groups)/\d+(/id)?", r'".*" (is also the id of|can.t be the id of)'),
    (r"/tests/\d+/group", r"there is no group "),
    (r"/groups/\d+", r"no test belongs to the group "),
    (r"/tests/\d+/expected", r"test .* has no expected output"),
    (r"/checker/(absolute|relative|program)", r"(absolute|relative|program) is given, and the kind is|neither absolute nor"),
    (r"/checker/program", r"the kind is program, and there is none|the checker does not compile"),
    (r"/limits_by_language/.*", r'".*" (can.t be the id of a language|and .* are both the language)'),
    (r"/repeat|/limits_by_language/.*", r".* `\d+\.0`, expected a whole number"),
    (r"/submissions/\d+", r"\w+ has no submission "),
    # The path says what the body must be.
    (r"", r"the body is .*, the path says"),
    # Where a list went on that is no longer there.
    (r"", r"the cursor .* is that of no batch"),
    (r"/files", r"none of the files is .* source"),
    (r"/files/\d+/path", r'".*" is also the path of file \d+'),
    (r"/files/\d+/path", r'".*" needs the folder ".*", which is file \d+'),
    # A source of schemathesis.toml is put into any body, also into one with files.
    (r"/files", r"source and files are both given"),
    # Bytes, where a schema counts characters.
    (r"/files/\d+/path", r"the path is \d+ bytes long|\".*\"… is \d+ bytes long"),
    (r"/outputs/\d+", r"the glob is \d+ bytes long"),
    (r"/labels/.*", r"the value of .* has \d+ bytes"),
    (r"/entry", r"\".*\" can't be an entry: it must have 1 to \d+ bytes"),
    # To a schema 5.0 is an integer.
    (r"/(compile_)?limits/.*", r".* number `\d+\.0`, expected a whole number"),
    # The grammar of globs.
    (r"/outputs/\d+", r'".*" is no glob: '),
    (r"/outputs/\d+", r'the braces of ".*" make more than \d+ globs'),
    (r"/outputs/\d+", r'".*" has (an empty part|a \.\.? in it)'),
    # What the other fields are decides what may stand here.
    (r"/entry", r"the entry \".*\" is (not among the files|neither one of)|.* has no entry|several classes"),
    # Days of the calendar, one not after the other.
    (r"", r"the query parameter (from|to) is "),
    (r"/(args|env)", r"args and env have \d+ bytes together"),
]


# What is said of an execution is said of programs and tests within a batch as well, with a longer pointer.
BELOW = r"(/submissions/\d+|/tests/\d+|/checker/program|/limits_by_language/[^/]*)?"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """One of `source` and `files`: the document has it as a sentence, so that generators of clients stay simple."""
    for name in ("ExecutionRequest", "SubmissionRequest", "CheckerProgram"):
        raw_schema["components"]["schemas"][name]["oneOf"] = [
            {"required": ["source"], "properties": {"source": CONTENT, "files": NULL}},
            {"required": ["files"], "properties": {"files": {"type": "array"}, "source": NULL}},
        ]
    # Ids of batches are found in answers anyway; to make sequences of whole batches takes minutes.
    del raw_schema["paths"]["/v1/batches"]["post"]["responses"]["202"]["links"]
    # One list that is longer than that would take it a minute to make; api-spec's own tests do it.
    for name in ("submissions", "tests"):
        del raw_schema["components"]["schemas"]["BatchRequest"]["properties"][name]["maxItems"]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Make fit together what no schema can: without that next to no batch and no blob would ever be taken.

    Nothing that a schema refuses becomes right by it.
    """
    wait = str((case.query or {}).get("wait_ms"))
    if case.path.startswith("/v1/batches") and re.fullmatch("[0-9]{4,5}", wait) and int(wait) <= 60000:
        case.query["wait_ms"] = int(wait) % 1000
    sent = getattr(case.body, "data", None)
    if case.method == "PUT" and isinstance(sent, bytes):
        # Of some it stays wrong.
        if len(sent) % 4 and re.fullmatch("[0-9a-f]{64}", str(case.path_parameters.get("sha256"))):
            case.path_parameters["sha256"] = hashlib.sha256(sent).hexdigest()
    elif case.path == "/v1/batches" and isinstance(case.body, dict):
        mend(case.body)


def mend(batch):
    """Give ids of their own, groups that are there, and no checker that lacks something, to a batch of the right shape."""
    lists = {name: batch.get(name) for name in ("submissions", "tests", "groups")}
    if any(items is not None and not isinstance(items, list) for items in lists.values()):
        return
    lists = {name: [item for item in items or () if isinstance(item, dict)] for name, items in lists.items()}
    for items in lists.values():
        for at, item in enumerate(items):
            if isinstance(item.get("id"), str) and item["id"].strip() and len(item["id"]) <= 100:
                item["id"] = f"{item['id']}{at}"
    groups = [group["id"] for group in lists["groups"] if isinstance(group.get("id"), str)]
    for at, test in enumerate(lists["tests"]):
        if isinstance(test.get("group"), str):
            test["group"] = groups[at % len(groups)] if groups else None
    checker = batch.get("checker")
    if isinstance(checker, dict) and checker.get("kind") in ("exact", "lines", "tokens", "unordered_lines"):
        for test in lists["tests"]:
            if test.get("expected", test) is None:
                test["expected"] = ""


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keep every failure but that of a body that no schema can refuse, and of what a busy machine has no answer to yet."""
    if type(failure).__name__ == "ServerError" and response.status_code == 503 and case.path in ("/v1/usage", "/readyz"):
        # A disk or jaild that takes seconds: whoever asks is told to come again.
        return "retry-after" not in {name.lower() for name in response.headers}
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 400:
        return True
    problem = json.loads(response.content)
    field, detail = problem.get("field", ""), problem["detail"]
    beyond = (
        re.fullmatch(BELOW + place, field, re.S) and re.match(words, detail.removeprefix(field + ": "), re.S)
        or re.fullmatch(place, field, re.S) and re.match(words, detail, re.S)
        for place, words in BEYOND_SCHEMAS
    )
    return not any(beyond)
