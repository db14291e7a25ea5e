"""An engine that says what a test wants it to say, and notes what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx

from engined_client import AsyncClient, Client, Retry

ID = "01K0ABCDEFGHJKMNPQRSTVWXYZ"
USAGE = {
    "cpu_time_us": 21000,
    "user_time_us": 4000,
    "system_time_us": 17000,
    "wall_time_us": 22000,
    "memory_peak_bytes": 67108864,
    "memory_peak_source": "kernel",
    "processes_peak": 1,
    "throttled_us": 0,
    "involuntary_switches": 3,
}


def result(**changes: Any) -> dict[str, Any]:
    """Give an answer as an engine of version 0.1 does, with changes."""
    empty = {"text": "", "bytes": 0, "truncated": False}
    hello = {"text": "hello\n", "bytes": 6, "truncated": False}
    run = {"start": "cold", "exit_code": 0, "signal": None, "stdout": hello, "stderr": empty, "usage": USAGE}
    answer: dict[str, Any] = {
        "id": ID,
        "status": "finished",
        "verdict": "ok",
        "reason": None,
        "language": {"id": "python", "version": "3.11.2"},
        "compile": None,
        "run": run,
        "outputs": [],
        "outputs_skipped": [],
        "timings": {"queue_us": 20, "compile_us": 0, "setup_us": 900, "run_us": 12900, "total_us": 14100},
        "isolation": {"layers": ["user_ns", "seccomp"], "missing": []},
        "labels": {},
    }
    return {**answer, **changes}


def batch(done: int = 0, status: str = "running", **changes: Any) -> dict[str, Any]:
    """Give how a batch of four results stands."""
    over = status in ("finished", "cancelled")
    answer: dict[str, Any] = {
        "id": ID,
        "status": status,
        "submissions": 2,
        "tests": 2,
        "results": 4,
        "done": done,
        "created_at": "2026-11-26T10:00:00.000Z",
        "finished_at": "2026-11-26T10:00:01.000Z" if over else None,
        "rejudge_of": None,
        "labels": {},
    }
    return {**answer, **changes}


def whole_batch(done: int = 0, status: str = "running", **changes: Any) -> dict[str, Any]:
    """Give the same with its submissions."""
    return batch(done, status, verdicts={}, submission_results=[], **changes)


def line(seq: int, **changes: Any) -> bytes:
    """Give a line of results."""
    answer: dict[str, Any] = {
        "seq": seq,
        "submission": "ada",
        "test": str(seq),
        "repeat": 1,
        "attempt": 1,
        "verdict": "accepted",
        "points": 1.0,
        "reason": None,
        "usage": USAGE,
        "checker": None,
        "stdout": {"text": "a\u2028b\x85\n", "bytes": 8, "truncated": False},
        "stderr": None,
        "finished_at": "2026-11-26T10:00:01.000Z",
    }
    return json.dumps({**answer, **changes}, ensure_ascii=False).encode() + b"\n"


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces, and may break off."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def stream(kind: str, *pieces: bytes | Exception) -> httpx.Response:
    """Make an answer that comes in pieces."""
    return httpx.Response(200, headers={"Content-Type": kind}, stream=Pieces(*pieces))


def answer(body: object, status: int = 200, **headers: str) -> httpx.Response:
    """Make an answer."""
    return httpx.Response(status, json=body, headers=headers)


def queued(position: int = 0) -> dict[str, Any]:
    """Give the state of an execution that waits."""
    return {"id": ID, "status": "queued", "position": position, "stage": None}


def running(stage: str = "run") -> dict[str, Any]:
    """Give the state of an execution that runs."""
    return {"id": ID, "status": "running", "position": None, "stage": stage}


def problem(code: str, status: int, retry_after: str | None = None, **more: Any) -> httpx.Response:
    """Make a problem."""
    body = {
        "type": f"urn:engined:problem:{code}",
        "title": "A title.",
        "status": status,
        "code": code,
        "detail": "what and why",
        "remedy": "Do something.",
        "request_id": "req-1",
        **more,
    }
    headers = {"Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return httpx.Response(status, content=json.dumps(body), headers=headers)


Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Fake:
    """Gives one step of its script for each request: an answer, an exception, or a function that makes one."""

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step(request) if callable(step) else step

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was sent."""
        return [json.loads(request.content) for request in self.asked if request.content]

    @property
    def calls(self) -> list[str]:
        """What was asked for."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.asked]

    def client(self, retry: Retry | None = None, **more: Any) -> Client:
        """Make a client of this engine."""
        return Client("http://fake", transport=httpx.MockTransport(self), retry=retry, **more)

    def async_client(self, retry: Retry | None = None, **more: Any) -> AsyncClient:
        """Make an asynchronous client of this engine."""
        return AsyncClient("http://fake", transport=httpx.MockTransport(self), retry=retry, **more)
