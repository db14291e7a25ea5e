"""What schemathesis can't know from openapi.yaml: a body that fits the document may be wrong all the same."""

import json
import re

import schemathesis

CONTENT = {"$ref": "#/components/schemas/Content"}
NULL = {"type": "null"}

# Field and beginning of the detail: what no schema says of a body that is refused with 400.
BEYOND_SCHEMAS = [
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


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """One of `source` and `files`: the document has it as a sentence, so that generators of clients stay simple."""
    raw_schema["components"]["schemas"]["ExecutionRequest"]["oneOf"] = [
        {"required": ["source"], "properties": {"source": CONTENT, "files": NULL}},
        {"required": ["files"], "properties": {"files": {"type": "array"}, "source": NULL}},
    ]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keep every failure but that of a body that no schema can refuse."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 400:
        return True
    problem = json.loads(response.content)
    field, detail = problem.get("field", ""), problem["detail"]
    beyond = (re.fullmatch(place, field) and re.match(words, detail, re.S) for place, words in BEYOND_SCHEMAS)
    return not any(beyond)
