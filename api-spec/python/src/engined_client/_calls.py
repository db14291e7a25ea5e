"""Every call that there is, and what its answer becomes; no input or output happens here.

A flow is a generator that both clients drive: it yields what is to be sent and how long to sleep, and is given the
response or httpx's exception.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

import httpx

from engined_client import errors
from engined_client._connect import Address
from engined_client._decode import Mismatch, decode
from engined_client._upload import Upload
from engined_client.errors import EnginedError, NotFinished, UnexpectedAnswer
from engined_client.requests import CallOptions, Content, Day, ExecutionRequest, RunOptions
from engined_client.results import (
    ExecutionResult,
    ExecutionStatus,
    HostIsolation,
    Languages,
    UsageReport,
    Validation,
    Version,
)
from engined_client.retry import Retry, may_repeat, transport_error

T = TypeVar("T")

State: TypeAlias = ExecutionStatus | ExecutionResult
"""What there is to know of an execution: how far it is, or how it ended."""

QUEUE_SECONDS = 120.0
"""How long an engine lets a run wait for its slot, unless its operator set something else."""
USUAL_RUN_MS, USUAL_COMPILE_MS = 15_000, 60_000
"""Wall times of a language that sets none of its own."""
MARGIN_SECONDS = 30.0
"""For the way, for setting up, and for an engine that is busy."""
LONG_POLL_MS = 30_000
"""The engine would hold a call for 60 s; what stands between may not."""
PAUSE_SECONDS = 0.1
"""Between two looks when the engine answers a long poll at once."""
CALL_FIELDS = frozenset(CallOptions.__annotations__)


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call, its answer's reader, and whether it runs nothing."""

    method: str
    path: str
    read: Callable[[int, object], T]
    """Makes a result of the status and the JSON."""
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Upload | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = MARGIN_SECONDS
    safe: bool = True
    bare: frozenset[int] = frozenset()
    """Statuses of answers without a body: the reader gets None."""

    def request(self, address: Address, connect_timeout: float, is_async: bool = False) -> httpx.Request:
        """Give what is sent."""
        content: Any = self.body
        if isinstance(content, Upload):
            content = content.apieces() if is_async else content.pieces()
        timeout = httpx.Timeout(connect=connect_timeout, pool=connect_timeout, write=MARGIN_SECONDS, read=self.timeout)
        return httpx.Request(
            self.method,
            address.base + self.path,
            params=self.params or None,
            content=content,
            headers={**address.headers(), **self.headers},
            extensions={"timeout": timeout.as_dict()},
        )


@dataclass(frozen=True)
class Sleep:
    """A step of a flow: wait."""

    seconds: float


Outcome: TypeAlias = httpx.Response | httpx.HTTPError | None
Flow: TypeAlias = Generator[Call[Any] | Sleep, Outcome, T]


def exchange(call: Call[T], retry: Retry | None, where: str) -> Flow[T]:
    """Make a call, and make it again where that is safe."""
    waited, attempt = 0.0, 0
    while True:
        attempt += 1
        outcome = yield call
        cause = None
        try:
            if isinstance(outcome, httpx.Response):
                return read_answer(call, outcome)
            cause = cast(httpx.HTTPError, outcome)
            raise transport_error(cause, where, call.timeout) from cause
        except EnginedError as error:
            pause = None
            if retry is not None and may_repeat(error, safe=call.safe):
                pause = retry.pause(attempt, waited, getattr(error, "retry_after", None))
            if pause is None:
                raise
        waited += pause
        yield Sleep(pause)


def wait_flow(id: str, timeout: float | None, retry: Retry | None, where: str) -> Flow[ExecutionResult]:
    """Ask until the execution is finished, or the time is over."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        began = time.monotonic()
        left = LONG_POLL_MS if deadline is None else max(0, min(LONG_POLL_MS, int((deadline - began) * 1000)))
        state = yield from exchange(get(id, left, {}), retry, where)
        if isinstance(state, ExecutionResult):
            return state
        now = time.monotonic()
        if deadline is not None and now >= deadline - PAUSE_SECONDS / 10:
            raise NotFinished(f"execution {id} is still {state.status} after {timeout} s", state.id, state.status)
        if now - began < PAUSE_SECONDS:
            yield Sleep(PAUSE_SECONDS)


def read_answer(call: Call[T], response: httpx.Response) -> T:
    """Make a result of an answer, or raise what it says."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code in call.bare:
        return call.read(response.status_code, None)
    if response.is_success and kind == "application/json":
        try:
            return call.read(response.status_code, response.json())
        except ValueError as error:
            # Mismatch is one, and so is what json raises.
            raise unexpected(call, response, f"its JSON does not fit: {error}") from error
    if response.is_error and kind == "application/problem+json":
        if call.method == "HEAD":
            # It has no body to say more.
            after = retry_after(response)
            raise errors.problem(code="unknown", status=response.status_code, retry_after=after)
        raise _problem(call, response)
    raise unexpected(call, response, f"its type is {kind or 'not named'}")


def unexpected(call: Call[Any], response: httpx.Response, why: str) -> UnexpectedAnswer:
    """Give the exception for an answer that no engine gives."""
    status = response.status_code
    words = f"{call.method} {call.path} was answered with status {status}, but not as an engine does: {why}."
    return UnexpectedAnswer(f"{words} Is a proxy between, or another service at this address?", status)


def _problem(call: Call[Any], response: httpx.Response) -> errors.ProblemError:
    try:
        body = response.json()
        code = body["code"]
    except (ValueError, KeyError, TypeError) as error:
        raise unexpected(call, response, "it is no problem with a code") from error

    def text(name: str) -> str:
        return str(body.get(name) or "")

    return errors.problem(
        code=str(code),
        status=response.status_code,
        title=text("title"),
        detail=text("detail"),
        remedy=text("remedy"),
        field=body.get("field"),
        request_id=text("request_id") or response.headers.get("x-request-id", ""),
        retry_after=retry_after(response),
    )


def retry_after(response: httpx.Response) -> float | None:
    """Give the seconds of `Retry-After`."""
    after = response.headers.get("retry-after", "")
    return float(after) if after.isascii() and after.isdigit() else None


def ask(
    method: str, path: str, kind: type[T] | Callable[[int, object], T], options: CallOptions, **more: Any
) -> Call[T]:
    """Make a call whose answer is a `kind`."""
    read = (lambda _, value: decode(kind, value)) if isinstance(kind, type) else kind
    headers = dict(more.pop("headers", {}))
    for name, header in (("request_id", "X-Request-Id"), ("traceparent", "traceparent")):
        value = options.get(name)
        # They often come from somebody else's request. What no header can hold the engine would ignore as well.
        if isinstance(value, str) and value.isascii() and value.isprintable():
            headers[header] = value
    timeout = options.get("timeout")
    if timeout is not None:
        more["timeout"] = timeout
    return Call(method, path, read, headers=headers, **more)


def _post(language: str, source: Content | None, options: RunOptions, query: Mapping[str, str], read: Any) -> Call[Any]:
    given = cast(dict[str, Any], options)
    fields = {name: value for name, value in given.items() if name not in CALL_FIELDS}
    call_options = cast(CallOptions, {name: value for name, value in given.items() if name in CALL_FIELDS})
    body = ExecutionRequest(language=language, source=source, **fields).to_json()
    return ask(
        "POST",
        "/v1/executions",
        read,
        call_options,
        params=query,
        body=json_of(body),
        headers={"Content-Type": "application/json"},
        timeout=MARGIN_SECONDS if query else _patience(body),
        safe="validate" in query,
    )


def json_of(body: Mapping[str, object]) -> bytes:
    """Give the bytes of a body."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # A lone surrogate is in some text. The engine says so, and at which field; to guess here would hide it.
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def _patience(body: Mapping[str, Any]) -> float:
    """Give the longest that the engine may take: in the queue, to compile and to run."""

    def wall(limits: str, usual: int) -> float:
        given = body.get(limits, {}).get("wall_time_ms")
        return (given if isinstance(given, (int, float)) else usual) / 1000

    steps = wall("limits", USUAL_RUN_MS) + wall("compile_limits", USUAL_COMPILE_MS)
    return QUEUE_SECONDS + max(0.0, steps) + MARGIN_SECONDS


def state_of(_status: int, value: object) -> State:
    """Read an answer that may be a result or not yet."""
    if isinstance(value, dict) and "verdict" in value:
        return decode(ExecutionResult, value)
    return decode(ExecutionStatus, value)


def run(language: str, source: Content | None, options: RunOptions) -> Call[ExecutionResult]:
    """`POST /v1/executions`."""
    return cast("Call[ExecutionResult]", _post(language, source, options, {}, ExecutionResult))


def submit(language: str, source: Content | None, options: RunOptions) -> Call[State]:
    """`POST /v1/executions?wait=false`."""
    return cast("Call[State]", _post(language, source, options, {"wait": "false"}, state_of))


def validate(language: str, source: Content | None, options: RunOptions) -> Call[Validation]:
    """`POST /v1/executions?validate=true`."""
    return cast("Call[Validation]", _post(language, source, options, {"validate": "true"}, Validation))


def _execution(id: str) -> str:
    if not id or not id.isascii() or not id.isalnum():
        raise ValueError(f"{id!r} is no execution's id; it is 26 letters and digits, as in an answer's `id`")
    return f"/v1/executions/{quote(id, safe='')}"


def get(id: str, wait_ms: int, options: CallOptions) -> Call[State]:
    """`GET /v1/executions/{id}`."""
    params = {"wait_ms": str(wait_ms)} if wait_ms else {}
    return ask("GET", _execution(id), state_of, options, params=params, timeout=MARGIN_SECONDS + wait_ms / 1000)


def cancel(id: str, options: CallOptions) -> Call[State]:
    """`DELETE /v1/executions/{id}`."""
    return ask("DELETE", _execution(id), state_of, options)


def languages(options: CallOptions) -> Call[Languages]:
    """`GET /v1/languages`."""
    return ask("GET", "/v1/languages", Languages, options)


def isolation(options: CallOptions) -> Call[HostIsolation]:
    """`GET /v1/isolation`."""
    return ask("GET", "/v1/isolation", HostIsolation, options)


def usage(first_day: Day | None, last_day: Day | None, tenant: str | None, options: CallOptions) -> Call[UsageReport]:
    """`GET /v1/usage`."""
    asked = {"from": first_day, "to": last_day, "tenant": tenant}
    params = {name: str(value) for name, value in asked.items() if value is not None}
    return ask("GET", "/v1/usage", UsageReport, options, params=params)


def version(options: CallOptions) -> Call[Version]:
    """`GET /v1/version`."""
    return ask("GET", "/v1/version", Version, options)


def healthy(options: CallOptions) -> Call[bool]:
    """`GET /healthz`."""
    return ask("GET", "/healthz", _says("ok"), options)


def ready(options: CallOptions) -> Call[bool]:
    """`GET /readyz`."""
    return ask("GET", "/readyz", _says("ready"), options)


def _says(word: str) -> Callable[[int, object], bool]:
    def read(_status: int, value: object) -> bool:
        if not isinstance(value, dict) or value.get("status") != word:
            raise Mismatch(f"/status is not {word!r}")
        return True

    return read


def tolerant(call: Call[bool], where: str) -> Flow[bool]:
    """Ask once whether the engine is there: no connection, no room or no answer is a no."""
    try:
        return (yield from exchange(call, None, where))
    except (errors.BusyError, errors.ConnectFailed, errors.TimedOut):
        return False
    except errors.TransportError as error:
        # Somebody else at this address is a mistake of the set-up, and says so.
        if isinstance(error, UnexpectedAnswer):
            raise
        return False
