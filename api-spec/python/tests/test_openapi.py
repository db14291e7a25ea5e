"""The client's types are those of openapi.yaml, both ways: each failure says what to add, and where."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from engined_client import _decode, aio_grade, errors, grade, grading, requests, results
from engined_client.aio import AsyncClient
from engined_client.client import Client

CONTRACT = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8"))
SCHEMAS: dict[str, dict[str, Any]] = CONTRACT["components"]["schemas"]

ASKED: dict[str, type] = {
    "BatchRequest": grading.BatchRequest,
    "CheckerProgram": grading.CheckerProgram,
    "CheckerRequest": grading.Checker,
    "ExecutionRequest": requests.ExecutionRequest,
    "GroupRequest": grading.Group,
    "LimitsRequest": requests.Limits,
    "SourceFile": requests.SourceFile,
    "SubmissionRequest": grading.Submission,
    "TestRequest": grading.Test,
}
ANSWERED: dict[str, type] = {
    "BatchProgress": results.BatchProgress,
    "BatchResponse": results.Batch,
    "BatchSummary": results.BatchSummary,
    "BatchesResponse": results.BatchPage,
    "CheckerTold": results.CheckerTold,
    "CompileResult": results.CompileResult,
    "CompileTold": results.CompileTold,
    "Difference": results.Difference,
    "ExecutionResult": results.ExecutionResult,
    "ExecutionStatus": results.ExecutionStatus,
    "GroupPoints": results.GroupPoints,
    "Isolation": results.Isolation,
    "IsolationResponse": results.HostIsolation,
    "Language": results.Language,
    "LanguageUsed": results.LanguageUsed,
    "LanguageVersion": results.LanguageVersion,
    "LanguagesResponse": results.Languages,
    "LayerState": results.LayerState,
    "Limits": results.FullLimits,
    "OutputFile": results.OutputFile,
    "OutputSkipped": results.OutputSkipped,
    "Reason": results.Reason,
    "RunResult": results.RunResult,
    "StepLimits": results.StepLimits,
    "Stream": results.Stream,
    "SubmissionResult": results.SubmissionResult,
    "TestResult": results.TestResult,
    "Timings": results.Timings,
    "UnavailableLanguage": results.UnavailableLanguage,
    "Usage": results.Usage,
    "UsageResponse": results.UsageReport,
    "UsageRow": results.UsageRow,
    "ValidationResponse": results.Validation,
    "VersionResponse": results.Version,
}
WORDS: dict[str, set[str]] = {
    "CheckerKind": set(typing.get_args(grading.CheckerKind)),
    "Code": set(errors.BY_CODE),
    "Feedback": set(typing.get_args(grading.Feedback)),
    "LimitName": {field.name for field in dataclasses.fields(requests.Limits)},
    "OnOutputLimit": set(typing.get_args(requests.OnOutputLimit)),
    "OutputEncoding": set(typing.get_args(requests.OutputEncoding)),
    "Priority": set(typing.get_args(requests.Priority)),
    "Protocol": set(typing.get_args(grading.Protocol)),
    "Rule": set(typing.get_args(grading.Rule)),
    "Stop": set(typing.get_args(grading.Stop)),
    "Verdict": {verdict.value for verdict in results.Verdict},
}
"""Lists of words that the client has as well."""
OPEN_WORDS = {
    "ApiVersion",
    "BatchStatus",
    "CgroupVersion",
    "Hint",
    "MemoryPeakSource",
    "Sha256",
    "Stage",
    "Start",
    "Status",
    "SubmissionVerdict",
    "TestVerdict",
}
"""Words of answers that the client passes on as strings, whatever they are."""
OTHERWISE = {
    "Content": "str or bytes",
    "Degraded": "ready() gives a bool; what is ill is for operators",
    "DrainResponse": "for operators",
    "DrainStatus": "for operators",
    "Health": "healthy() gives a bool",
    "HealthResponse": "healthy() gives a bool",
    "Input": "str, bytes or Blob",
    "ProblemBody": "ProblemError; compared below",
    "Ready": "ready() gives a bool",
    "RejudgeRequest": "rejudge(submissions=...)",
    "ReadyResponse": "ready() gives a bool; the layers stand in isolation() and in every result",
}
METHODS = {
    "execute": ["run", "submit", "validate"],
    "execution": ["get"],
    "cancel": ["cancel"],
    "health": ["healthy"],
    "ready": ["ready"],
    "languages": ["languages"],
    "isolation": ["isolation"],
    "usage": ["usage"],
    "version": ["version"],
    "submitBatch": ["batches.create"],
    "batches": ["batches.list"],
    "batch": ["batches.get", "batches.wait"],
    "cancelBatch": ["batches.cancel"],
    "results": ["batches.results"],
    "events": ["batches.events"],
    "rejudge": ["batches.rejudge"],
    "putBlob": ["blobs.put"],
    "blob": ["blobs.exists"],
    "deleteBlob": ["blobs.delete"],
}
PARTS: dict[str, tuple[type, type]] = {
    "": (Client, AsyncClient),
    "batches": (grade.Batches, aio_grade.AsyncBatches),
    "blobs": (grade.Blobs, aio_grade.AsyncBlobs),
}
NO_METHOD = {
    "drain": "for operators",
    "metrics": "for Prometheus",
    "openapiJson": "for tools",
    "openapiYaml": "for tools",
}


def schema_type(schema: Mapping[str, Any]) -> str:
    """Give the annotation that fits a schema of an answer."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return ANSWERED[name].__name__ if name in ANSWERED else "str"
    if "anyOf" in schema:
        (inner,) = (one for one in schema["anyOf"] if one != {"type": "null"})
        return f"{schema_type(inner)} | None"
    kind = schema["type"]
    if isinstance(kind, list):
        (inner,) = (one for one in kind if one != "null")
        return f"{schema_type({**schema, 'type': inner})} | None"
    if kind == "array":
        return f"tuple[{schema_type(schema['items'])}, ...]"
    if kind == "object":
        return f"Mapping[str, {schema_type(schema['additionalProperties'])}]"
    return {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[kind]


def shown(annotation: Any) -> str:
    """Give an annotation as `schema_type` does."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None:
        return "None" if annotation is type(None) else str(annotation.__name__)
    if origin is tuple:
        return f"tuple[{shown(args[0])}, ...]"
    if origin is Mapping:
        return f"Mapping[str, {shown(args[1])}]"
    return " | ".join(shown(arg) for arg in args)


def properties(schema: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Give the fields of an object and the names of those that are always there; of a choice, none of its fields is."""
    fields = dict(schema.get("properties", {}))
    required = set(schema.get("required", ()))
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        fields.update(choice.get("properties", {}))
    return fields, required


def test_every_schema_is_known() -> None:
    known = {*ASKED, *ANSWERED, *WORDS, *OPEN_WORDS, *OTHERWISE}
    new = set(SCHEMAS) - known
    assert not new, f"openapi.yaml has {new}: add them to src/engined_client, then to a table of this file"
    gone = known - set(SCHEMAS)
    assert not gone, f"openapi.yaml does not have {gone}: remove them from this file, or add them there"


@pytest.mark.parametrize("name", sorted(WORDS))
def test_lists_of_words_are_the_same(name: str) -> None:
    words = set(SCHEMAS[name]["enum"])
    assert words - WORDS[name] == set(), f"{name}: add these to src/engined_client"
    assert WORDS[name] - words == set(), f"{name}: openapi.yaml does not have these"


@pytest.mark.parametrize("name", sorted(OPEN_WORDS))
def test_open_words_are_words(name: str) -> None:
    assert SCHEMAS[name]["type"] == "string"


@pytest.mark.parametrize("name", sorted(ANSWERED))
def test_answers_have_the_same_fields(name: str) -> None:
    kind = ANSWERED[name]
    wanted, required = properties(SCHEMAS[name])
    hints = _decode.hints(kind)
    wrong = []
    told = set()
    for field in dataclasses.fields(kind):
        if field.metadata.get("ours"):
            continue
        made_of = field.metadata.get("wire", (field.name,))
        told.update(made_of)
        if missing := [one for one in made_of if one not in wanted]:
            wrong.append(f"{name} in openapi.yaml has no {missing}: remove {field.name} from {kind.__name__}")
            continue
        if made_of != (field.name,):
            # What is made of several, or of base64, has from_wire, and its tests in test_results.py.
            continue
        fits = schema_type(wanted[field.name])
        defaults = (field.default, field.default_factory)
        may_be_absent = any(default is not dataclasses.MISSING for default in defaults)
        if field.name not in required and not may_be_absent:
            wrong.append(f"{kind.__name__}.{field.name} needs a default: engines may leave it out")
        if field.name in required and may_be_absent and not field.metadata.get("since"):
            wrong.append(f"{kind.__name__}.{field.name} needs no default: say `since(...)` if older engines lack it")
        if field.name not in required and may_be_absent and field.default is None:
            fits = fits.removesuffix(" | None") + " | None"
        if shown(hints[field.name]) != fits:
            wrong.append(f"{kind.__name__}.{field.name} is {shown(hints[field.name])}, openapi.yaml says {fits}")
    for field_name in wanted.keys() - told:
        fits = schema_type(wanted[field_name])
        default = "" if field_name in required else " | None = None"
        wrong.append(
            f"openapi.yaml has {name}.{field_name}: add `{field_name}: {fits}{default}` to class {kind.__name__} in "
            "src/engined_client/results.py (`= since(...)` and last if older engines do not send it)"
        )
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_requests_have_the_same_fields(name: str) -> None:
    kind = ASKED[name]
    wanted, required = properties(SCHEMAS[name])
    fields = {field.name: field for field in dataclasses.fields(kind)}
    assert wanted.keys() - fields.keys() == set(), f"add these to {kind.__name__} in src/engined_client/requests.py"
    assert fields.keys() - wanted.keys() == set(), f"openapi.yaml's {name} does not have these"
    must = {field.name for field in fields.values() if field.default is dataclasses.MISSING}
    assert must == required, "what must be given is not the same"
    for field in fields.values():
        if field.name not in must:
            assert field.default is None, f"{field.name}: None leaves it out, and the engine has the default"
    if name == "LimitsRequest":
        for field_name, schema in wanted.items():
            assert shown(typing.get_type_hints(kind)[field_name]) == schema_type(schema), field_name


def test_every_field_can_be_given_by_name() -> None:
    fields = {field.name for field in dataclasses.fields(requests.ExecutionRequest)} - {"language", "source"}
    assert set(requests.RequestOptions.__annotations__) == fields
    hints, told = typing.get_type_hints(requests.ExecutionRequest), typing.get_type_hints(requests.RequestOptions)
    assert {name: hints[name] for name in fields} == told


def test_every_field_of_a_batch_can_be_given_by_name() -> None:
    fields = {field.name for field in dataclasses.fields(grading.BatchRequest)} - {"submissions", "tests"}
    hints, told = typing.get_type_hints(grading.BatchRequest), typing.get_type_hints(grading.BatchOptions)
    assert {name: hints[name] for name in fields} == told


def test_problems_have_the_same_fields() -> None:
    wanted, required = properties(SCHEMAS["ProblemBody"])
    known = vars(errors.problem(code="internal", status=500)).keys() - {"retry_after"}
    # The type is the code, said longer.
    assert known == wanted.keys() - {"type"}
    assert required == wanted.keys() - {"field"}


def group_of(status: int) -> type[errors.ProblemError]:
    if status in (429, 503):
        return errors.BusyError
    return errors.ServerError if status >= 500 else errors.CallerError


def test_codes_are_in_the_groups_of_their_statuses() -> None:
    for name, response in CONTRACT["components"]["responses"].items():
        schema = response["content"]["application/problem+json"]["schema"]["properties"]
        if "status" not in schema:
            continue
        status = schema["status"]["const"]
        group = (
            errors.BusyError if status in (429, 503) else errors.ServerError if status >= 500 else errors.CallerError
        )
        for code in schema["code"]["enum"]:
            assert issubclass(errors.BY_CODE[code], group), f"{code} of {name}"
    # Those that no address answers with yet stand in the README's table alone.
    table = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for code, kind in errors.BY_CODE.items():
        row = next(line for line in table.splitlines() if line.startswith("| ") and f"| `{code}` |" in line)
        status = int(row.split("|")[1])
        assert errors.problem(code=code, status=status).status == status
        group = (
            errors.BusyError if status in (429, 503) else errors.ServerError if status >= 500 else errors.CallerError
        )
        assert issubclass(kind, group), code
        assert (kind.__doc__ or "").startswith(row.split("|")[3].strip().rstrip(".")), f"{code}: {kind.__doc__}"


def test_every_operation_has_its_methods() -> None:
    verbs = ("get", "post", "put", "delete", "patch", "head")
    operations = {item[verb]["operationId"] for item in CONTRACT["paths"].values() for verb in verbs if verb in item}
    new = operations - METHODS.keys() - NO_METHOD.keys()
    assert not new, f"openapi.yaml has {new}: add methods to Client and AsyncClient, then to METHODS"
    gone = METHODS.keys() - operations
    assert not gone, f"openapi.yaml does not have {gone}"
    for methods in METHODS.values():
        for method in methods:
            part, _, name = method.rpartition(".")
            kinds = PARTS[part]
            assert all(callable(getattr(kind, name)) for kind in kinds), method
