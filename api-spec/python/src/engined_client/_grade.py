"""The calls of batches and blobs, and what is kept of a stream of results; no input or output happens here."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import quote

import httpx

from engined_client._calls import (
    CALL_FIELDS,
    LONG_POLL_MS,
    MARGIN_SECONDS,
    PAUSE_SECONDS,
    QUEUE_SECONDS,
    Call,
    Flow,
    Sleep,
    ask,
    exchange,
    json_of,
    read_answer,
    unexpected,
)
from engined_client._decode import decode
from engined_client._upload import Upload
from engined_client.errors import BusyError, EnginedError, NotFinished, TransportError, UnexpectedAnswer
from engined_client.grading import BatchRequest, SubmissionLike, TestLike
from engined_client.requests import Blob, CallOptions
from engined_client.results import Batch, BatchEvent, BatchPage, BatchProgress, BatchSummary, TestResult
from engined_client.retry import Retry

COMPILE_SECONDS = 60.0
"""For the compile of a checker, which comes before the answer."""
SILENCE_SECONDS = 45.0
"""An engine says something every 15 s."""
NDJSON, EVENT_STREAM, BYTES = "application/x-ndjson", "text/event-stream", "application/octet-stream"
PROBLEM = "application/problem+json"


def _batch(id: str, more: str = "") -> str:
    if not id or not id.isascii() or not id.isalnum():
        raise ValueError(f"{id!r} is no batch's id; it is 26 letters and digits, as in an answer's `id`")
    return f"/v1/batches/{quote(id, safe='')}{more}"


def _keyed(key: str | None) -> dict[str, str]:
    # Without one a broken connection could not be tried again: the batch may be there.
    return {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}


def create(
    submissions: Iterable[SubmissionLike], tests: Iterable[TestLike], key: str | None, options: Mapping[str, Any]
) -> Call[BatchSummary]:
    """`POST /v1/batches`."""
    fields = {name: value for name, value in options.items() if name not in CALL_FIELDS}
    body = BatchRequest(submissions, tests, **fields).to_json()
    patience = QUEUE_SECONDS + COMPILE_SECONDS + MARGIN_SECONDS
    own = cast(CallOptions, {name: value for name, value in options.items() if name in CALL_FIELDS})
    return ask("POST", "/v1/batches", BatchSummary, own, body=json_of(body), headers=_keyed(key), timeout=patience)


def rejudge(
    id: str, submissions: Iterable[str] | None, key: str | None, options: Mapping[str, Any]
) -> Call[BatchSummary]:
    """`POST /v1/batches/{id}/rejudge`."""
    if isinstance(submissions, str):
        raise TypeError(f"submissions is {submissions!r}; give a list of ids")
    body = {} if submissions is None else {"submissions": list(submissions)}
    headers, own = _keyed(key), cast(CallOptions, options)
    return ask("POST", _batch(id, "/rejudge"), BatchSummary, own, body=json_of(body), headers=headers)


def get(id: str, wait_ms: int, options: CallOptions) -> Call[Batch]:
    """`GET /v1/batches/{id}`."""
    params = {"wait_ms": str(wait_ms)} if wait_ms else {}
    return ask("GET", _batch(id), Batch, options, params=params, timeout=MARGIN_SECONDS + wait_ms / 1000)


def cancel(id: str, options: CallOptions) -> Call[BatchSummary]:
    """`DELETE /v1/batches/{id}`."""
    return ask("DELETE", _batch(id), BatchSummary, options)


def page(
    status: str | None, label: tuple[str, str] | None, limit: int | None, cursor: str | None, options: CallOptions
) -> Call[BatchPage]:
    """`GET /v1/batches`."""
    named = None if label is None else f"{label[0]}:{label[1]}"
    asked = {"status": status, "label": named, "limit": limit, "cursor": cursor}
    params = {name: str(value) for name, value in asked.items() if value is not None}
    return ask("GET", "/v1/batches", BatchPage, options, params=params)


def wait_flow(id: str, timeout: float | None, retry: Retry | None, where: str) -> Flow[Batch]:
    """Ask until the batch is over, or the time is."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        began = time.monotonic()
        left = LONG_POLL_MS if deadline is None else max(0, min(LONG_POLL_MS, int((deadline - began) * 1000)))
        batch = yield from exchange(get(id, left, {}), retry, where)
        if batch.over:
            return batch
        now = time.monotonic()
        if deadline is not None and now >= deadline - PAUSE_SECONDS / 10:
            raise NotFinished(f"batch {id} is still {batch.status} after {timeout} s", batch.id, batch.status)
        if now - began < PAUSE_SECONDS:
            yield Sleep(PAUSE_SECONDS)


class Place:
    """Where somebody is in the results of a batch, and how often it was tried to go on from there."""

    def __init__(self, id: str, from_seq: int, retry: Retry | None) -> None:
        self.id, self.next, self.over = id, from_seq, False
        self._retry = retry
        self._attempt, self._waited, self._began, self._moved = 0, 0.0, 0.0, False
        _batch(id)

    def results(self) -> Call[None]:
        """`GET /v1/batches/{id}/results`, from here on."""
        self._began, self._moved = time.monotonic(), False
        params = {"from": str(self.next), "wait_ms": str(LONG_POLL_MS)}
        return _stream(self.id, "results", NDJSON, MARGIN_SECONDS + LONG_POLL_MS / 1000, params, {})

    def events(self) -> Call[None]:
        """`GET /v1/batches/{id}/events`, from here on."""
        headers = {"Last-Event-ID": str(self.next - 1)}
        return _stream(self.id, "events", EVENT_STREAM, SILENCE_SECONDS, {}, headers)

    def result(self, value: object) -> TestResult:
        """Take a result, and stand behind it."""
        result = decode(TestResult, value)
        self.went_on()
        self.next = result.seq + 1
        return result

    def went_on(self) -> None:
        """Note that there was news: what failed before is forgotten."""
        self._attempt, self._waited, self._moved = 0, 0.0, True

    @property
    def is_quiet(self) -> bool:
        """Whether the last answer had no result."""
        return not self._moved

    def looked(self, batch: Batch) -> float:
        """Take how far the batch is when there was no result; give the pause before the next question."""
        self.over = batch.over and batch.done < self.next
        return PAUSE_SECONDS if time.monotonic() - self._began < PAUSE_SECONDS else 0.0

    def pause(self, error: EnginedError) -> float:
        """Give the pause before it is tried again after this; raise it where that is no use."""
        again = isinstance(error, TransportError) and not isinstance(error, UnexpectedAnswer)
        again = again or (isinstance(error, BusyError) and error.retry_after is not None)
        self._attempt += 1
        after = getattr(error, "retry_after", None)
        pause = self._retry.pause(self._attempt, self._waited, after) if again and self._retry else None
        if pause is None:
            raise error
        self._waited += pause
        return pause


def _stream(
    id: str, what: str, media: str, timeout: float, params: Mapping[str, str], headers: Mapping[str, str]
) -> Call[None]:
    more = {"params": params, "headers": {"Accept": f"{media}, {PROBLEM}", **headers}, "timeout": timeout}
    return ask("GET", _batch(id, f"/{what}"), lambda _status, _value: None, {}, **more)


def is_stream(call: Call[Any], response: httpx.Response) -> bool:
    """Tell whether the answer is what was asked for; else it must be read, for `refuse`."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return response.status_code == 200 and kind == call.headers["Accept"].partition(",")[0]


def refuse(call: Call[Any], response: httpx.Response) -> EnginedError:
    """Give the exception for an answer that is no stream."""
    try:
        read_answer(call, response)
    except EnginedError as error:
        return error
    return unexpected(call, response, "it is no stream of results")


class Lines:
    """Cuts bytes into lines. Only at line feeds: text in JSON may have what Python takes for ends of lines."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def take(self, piece: bytes) -> list[bytes]:
        """Give the lines that are whole now. What is after the last one and never ended is no line."""
        self._rest += piece
        *lines, self._rest = self._rest.split(b"\n")
        return [bytes(line) for line in lines]


class Events:
    """Makes events of lines (WHATWG HTML, server-sent events)."""

    KINDS: Mapping[str, type] = {"result": TestResult, "progress": BatchProgress, "finished": BatchSummary}

    def __init__(self) -> None:
        self._name, self._data, self._id = "", b"", 0

    def take(self, line: bytes, place: Place) -> BatchEvent | None:
        """Give the event that ends with this line. One of a name that this version does not know is left out."""
        if line:
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"event":
                self._name = value.decode()
            elif name == b"data":
                self._data += value
            elif name == b"id":
                self._id = int(value)
            return None
        name_of, data = self._name, self._data
        self._name, self._data = "", b""
        kind = self.KINDS.get(name_of)
        if kind is None:
            return None
        value = json.loads(data)
        if kind is TestResult:
            return BatchEvent(name_of, self._id, place.result(value))
        place.went_on()
        place.over = place.over or kind is BatchSummary
        return BatchEvent(name_of, self._id, decode(kind, value))


def result_of(line: bytes, place: Place, call: Call[Any], response: httpx.Response) -> TestResult:
    """Read a line of results."""
    try:
        return place.result(json.loads(line))
    except ValueError as error:
        raise unexpected(call, response, f"its JSON does not fit: {error}") from error


def event_of(line: bytes, events: Events, place: Place, call: Call[Any], response: httpx.Response) -> BatchEvent | None:
    """Read a line of events."""
    try:
        return events.take(line, place)
    except ValueError as error:
        raise unexpected(call, response, f"an event does not fit: {error}") from error


def _blob(blob: str) -> str:
    digits = blob.removeprefix("sha256:")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError(f"{blob!r} is no blob's name; it is sha256: and 64 hexadecimal digits")
    return f"/v1/blobs/{digits}"


def exists(blob: str, options: CallOptions) -> Call[bool]:
    """`HEAD /v1/blobs/{sha256}`."""
    headers = {"Accept": f"{BYTES}, {PROBLEM}"}
    found = frozenset({200, 404})
    return ask("HEAD", _blob(blob), lambda status, _: status == 200, options, headers=headers, bare=found)


def put(upload: Upload, digest: str, length: int, options: CallOptions) -> Call[Blob]:
    """`PUT /v1/blobs/{sha256}`."""
    headers = {"Content-Type": BYTES, "Content-Length": str(length)}
    blob, done = Blob(f"sha256:{digest}"), frozenset({200, 201})
    # Sending the same bytes twice changes nothing. The answer comes when they are on disk.
    more: dict[str, Any] = {"headers": headers, "body": upload, "bare": done, "timeout": QUEUE_SECONDS}
    return ask("PUT", _blob(blob), lambda _status, _value: blob, options, **more)


def delete(blob: str, options: CallOptions) -> Call[bool]:
    """`DELETE /v1/blobs/{sha256}`."""
    return ask("DELETE", _blob(blob), lambda status, _: status == 204, options, bare=frozenset({202, 204}))
