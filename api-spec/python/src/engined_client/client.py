"""The synchronous client."""

from __future__ import annotations

import os
import ssl
import sys
import threading
import time
import weakref
from types import TracebackType
from typing import Any, TypeVar

import httpx

from engined_client import _calls
from engined_client._calls import Call, Flow, Outcome, Sleep, State
from engined_client._connect import Address
from engined_client.grade import Batches, Blobs
from engined_client.requests import CallOptions, Content, Day, RunOptions
from engined_client.results import ExecutionResult, HostIsolation, Languages, UsageReport, Validation, Version
from engined_client.retry import Retry

if sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    from typing_extensions import Self, Unpack

T = TypeVar("T")
DEFAULT_RETRY = Retry()
CONNECT_SECONDS = 5.0


class Client:
    """A connection to an engine. Threads may share it, and a process that was forked may go on using it.

    `url` is `http://HOST:PORT`, `https://HOST` or `unix:/PATH`; without it `ENGINED_URL`, else the development mode's
    `http://127.0.0.1:7070`. `token` is for TCP; without it `ENGINED_TOKEN`; `""` sends none. Proxies of the
    environment are not used: programs and tokens go to the engine and nowhere else.

    Close it, or use it in a `with` block. It connects when it must, not when it is made.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        retry: Retry | None = DEFAULT_RETRY,
        connect_timeout: float = CONNECT_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._address = Address.find(url, token)
        self._retry = retry
        self._connect_timeout = connect_timeout
        self._ssl_context = ssl_context
        self._transport = transport
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._closed = False
        _clients.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address.shown!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections. A program of another thread's `run` that they wait for is ended."""
        with self._lock:
            http, self._http, self._closed = self._http, None, True
        if http is not None:
            http.close()

    def run(self, language: str, source: Content | None = None, **options: Unpack[RunOptions]) -> ExecutionResult:
        """Run a program and wait for its result, whatever that is: a program's failure is no exception.

        Exactly one of `source` and `files` is given; all fields are those of the contract. When the call ends early,
        by a time-out or because this process dies, the engine ends the program.
        """
        return self._do(_calls.run(language, source, options))

    def submit(self, language: str, source: Content | None = None, **options: Unpack[RunOptions]) -> Execution:
        """Have a program run and don't wait: the result is kept for 15 minutes. Accepts what `run` accepts."""
        state = self._do(_calls.submit(language, source, options))
        return Execution(self, state.id, state)

    def validate(self, language: str, source: Content | None = None, **options: Unpack[RunOptions]) -> Validation:
        """Check a request without running it: a wrong one is the same exception as of `run`."""
        return self._do(_calls.validate(language, source, options))

    def execution(self, id: str) -> Execution:
        """Give a handle for an execution that was submitted elsewhere. Asks nothing."""
        _calls.get(id, 0, {})
        return Execution(self, id, None)

    def get(self, id: str, wait_ms: int = 0, **options: Unpack[CallOptions]) -> State:
        """Ask how far an execution is: an `ExecutionResult` when it is finished, else an `ExecutionStatus`.

        With `wait_ms`, up to 60,000, the engine answers when it is finished, or when that time is over.
        """
        return self._do(_calls.get(id, wait_ms, options))

    def cancel(self, id: str, **options: Unpack[CallOptions]) -> State:
        """End an execution. Its verdict becomes `cancelled`, unless it is finished: then this is its result."""
        return self._do(_calls.cancel(id, options))

    def languages(self, **options: Unpack[CallOptions]) -> Languages:
        """List what can be asked for, with versions, limits, floors and ceilings."""
        return self._do(_calls.languages(options))

    def isolation(self, **options: Unpack[CallOptions]) -> HostIsolation:
        """List the layers that keep programs in, wanted and obtained."""
        return self._do(_calls.isolation(options))

    def usage(
        self,
        first_day: Day | None = None,
        last_day: Day | None = None,
        tenant: str | None = None,
        **options: Unpack[CallOptions],
    ) -> UsageReport:
        """Tell what was used on these UTC days, both included: today's, where none is named.

        A tenant sees its own usage, an administrator that of all, or of `tenant` alone.
        """
        return self._do(_calls.usage(first_day, last_day, tenant, options))

    def version(self, **options: Unpack[CallOptions]) -> Version:
        """Give the versions of the engine and of the contract."""
        return self._do(_calls.version(options))

    @property
    def batches(self) -> Batches:
        """Many programs judged by the same tests."""
        return Batches(self)

    @property
    def blobs(self) -> Blobs:
        """Data that is sent once, to be named as input."""
        return Blobs(self)

    def healthy(self, **options: Unpack[CallOptions]) -> bool:
        """Tell whether the engine is alive. Asks once."""
        return self._drive(_calls.tolerant(_calls.healthy(options), self._address.shown))

    def ready(self, **options: Unpack[CallOptions]) -> bool:
        """Tell whether the engine can take work. Asks once."""
        return self._drive(_calls.tolerant(_calls.ready(options), self._address.shown))

    def _wait(self, id: str, timeout: float | None) -> ExecutionResult:
        return self._drive(_calls.wait_flow(id, timeout, self._retry, self._address.shown))

    def _do(self, call: Call[T]) -> T:
        return self._drive(_calls.exchange(call, self._retry, self._address.shown))

    def _drive(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if isinstance(step, Sleep):
                time.sleep(step.seconds)
                outcome = None
                continue
            try:
                outcome = self._connected().send(step.request(self._address, self._connect_timeout))
            except httpx.HTTPError as error:
                outcome = error

    def _open(self, call: Call[Any]) -> httpx.Response:
        request = call.request(self._address, self._connect_timeout)
        return self._connected().send(request, stream=True)

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self!r} is closed; make a new one")
            if self._http is None:
                transport = self._transport or self._address.transport(self._ssl_context)
                self._http = httpx.Client(transport=transport, trust_env=False)
            return self._http


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _forked() -> None:
    """Leave the parent's connections to it: two processes on one would read each other's answers."""
    for client in _clients:
        client._lock, client._http = threading.Lock(), None


# Celery's prefork pool and preloading web servers make clients before they fork.
os.register_at_fork(after_in_child=_forked)


class Execution:
    """A program that was submitted."""

    def __init__(self, client: Client, id: str, state: State | None) -> None:
        self._client = client
        self.id = id
        """Its id: keep it, and any process can go on with `client.execution(id)`."""
        self.state = state
        """What was heard of it last."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, {self.state.status if self.state else 'not asked yet'})"

    def status(self) -> State:
        """Ask how far it is."""
        self.state = self._client.get(self.id)
        return self.state

    def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Wait for its result, at most `timeout` seconds: `NotFinished` then, and it goes on."""
        self.state = result = self._client._wait(self.id, timeout)
        return result

    def cancel(self) -> State:
        """End it, as `Client.cancel`."""
        self.state = self._client.cancel(self.id)
        return self.state
