"""The asynchronous client: the same calls, to be awaited, on asyncio or trio."""

from __future__ import annotations

import ssl
import sys
from types import TracebackType
from typing import Any, TypeVar

import anyio
import httpx

from engined_client import _calls
from engined_client._calls import Call, Flow, Outcome, Sleep, State
from engined_client._connect import Address
from engined_client.aio_grade import AsyncBatches, AsyncBlobs
from engined_client.client import CONNECT_SECONDS, DEFAULT_RETRY
from engined_client.requests import CallOptions, Content, Day, RunOptions
from engined_client.results import ExecutionResult, HostIsolation, Languages, UsageReport, Validation, Version
from engined_client.retry import Retry

if sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    from typing_extensions import Self, Unpack

T = TypeVar("T")


class AsyncClient:
    """A connection to an engine, for one event loop. The arguments are those of `Client`.

    Cancelling an awaited `run` closes its connection, and the engine ends the program.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        retry: Retry | None = DEFAULT_RETRY,
        connect_timeout: float = CONNECT_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._address = Address.find(url, token)
        self._retry = retry
        self._connect_timeout = connect_timeout
        self._ssl_context = ssl_context
        self._transport = transport
        self._http: httpx.AsyncClient | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address.shown!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        http, self._http, self._closed = self._http, None, True
        if http is not None:
            await http.aclose()

    async def run(self, language: str, source: Content | None = None, **options: Unpack[RunOptions]) -> ExecutionResult:
        """Run a program and wait for its result, whatever that is: a program's failure is no exception.

        Exactly one of `source` and `files` is given; all fields are those of the contract. When the call ends early,
        by a time-out or because this process dies, the engine ends the program.
        """
        return await self._do(_calls.run(language, source, options))

    async def submit(
        self, language: str, source: Content | None = None, **options: Unpack[RunOptions]
    ) -> AsyncExecution:
        """Have a program run and don't wait: the result is kept for 15 minutes. Accepts what `run` accepts."""
        state = await self._do(_calls.submit(language, source, options))
        return AsyncExecution(self, state.id, state)

    async def validate(self, language: str, source: Content | None = None, **options: Unpack[RunOptions]) -> Validation:
        """Check a request without running it: a wrong one is the same exception as of `run`."""
        return await self._do(_calls.validate(language, source, options))

    def execution(self, id: str) -> AsyncExecution:
        """Give a handle for an execution that was submitted elsewhere. Asks nothing."""
        _calls.get(id, 0, {})
        return AsyncExecution(self, id, None)

    async def get(self, id: str, wait_ms: int = 0, **options: Unpack[CallOptions]) -> State:
        """Ask how far an execution is: an `ExecutionResult` when it is finished, else an `ExecutionStatus`.

        With `wait_ms`, up to 60,000, the engine answers when it is finished, or when that time is over.
        """
        return await self._do(_calls.get(id, wait_ms, options))

    async def cancel(self, id: str, **options: Unpack[CallOptions]) -> State:
        """End an execution. Its verdict becomes `cancelled`, unless it is finished: then this is its result."""
        return await self._do(_calls.cancel(id, options))

    async def languages(self, **options: Unpack[CallOptions]) -> Languages:
        """List what can be asked for, with versions, limits, floors and ceilings."""
        return await self._do(_calls.languages(options))

    async def isolation(self, **options: Unpack[CallOptions]) -> HostIsolation:
        """List the layers that keep programs in, wanted and obtained."""
        return await self._do(_calls.isolation(options))

    async def usage(
        self,
        first_day: Day | None = None,
        last_day: Day | None = None,
        tenant: str | None = None,
        **options: Unpack[CallOptions],
    ) -> UsageReport:
        """Tell what was used on these UTC days, both included: today's, where none is named.

        A tenant sees its own usage, an administrator that of all, or of `tenant` alone.
        """
        return await self._do(_calls.usage(first_day, last_day, tenant, options))

    async def version(self, **options: Unpack[CallOptions]) -> Version:
        """Give the versions of the engine and of the contract."""
        return await self._do(_calls.version(options))

    @property
    def batches(self) -> AsyncBatches:
        """Many programs judged by the same tests."""
        return AsyncBatches(self)

    @property
    def blobs(self) -> AsyncBlobs:
        """Data that is sent once, to be named as input."""
        return AsyncBlobs(self)

    async def healthy(self, **options: Unpack[CallOptions]) -> bool:
        """Tell whether the engine is alive. Asks once."""
        return await self._drive(_calls.tolerant(_calls.healthy(options), self._address.shown))

    async def ready(self, **options: Unpack[CallOptions]) -> bool:
        """Tell whether the engine can take work. Asks once."""
        return await self._drive(_calls.tolerant(_calls.ready(options), self._address.shown))

    async def _wait(self, id: str, timeout: float | None) -> ExecutionResult:
        return await self._drive(_calls.wait_flow(id, timeout, self._retry, self._address.shown))

    async def _do(self, call: Call[T]) -> T:
        return await self._drive(_calls.exchange(call, self._retry, self._address.shown))

    async def _drive(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if isinstance(step, Sleep):
                await anyio.sleep(step.seconds)
                outcome = None
                continue
            try:
                outcome = await self._connected().send(step.request(self._address, self._connect_timeout, True))
            except httpx.HTTPError as error:
                outcome = error

    async def _open(self, call: Call[Any]) -> httpx.Response:
        request = call.request(self._address, self._connect_timeout, is_async=True)
        return await self._connected().send(request, stream=True)

    def _connected(self) -> httpx.AsyncClient:
        if self._closed:
            raise RuntimeError(f"{self!r} is closed; make a new one")
        if self._http is None:
            transport = self._transport or self._address.async_transport(self._ssl_context)
            self._http = httpx.AsyncClient(transport=transport, trust_env=False)
        return self._http


class AsyncExecution:
    """A program that was submitted."""

    def __init__(self, client: AsyncClient, id: str, state: State | None) -> None:
        self._client = client
        self.id = id
        """Its id: keep it, and any process can go on with `client.execution(id)`."""
        self.state = state
        """What was heard of it last."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, {self.state.status if self.state else 'not asked yet'})"

    async def status(self) -> State:
        """Ask how far it is."""
        self.state = await self._client.get(self.id)
        return self.state

    async def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Wait for its result, at most `timeout` seconds: `NotFinished` then, and it goes on."""
        self.state = result = await self._client._wait(self.id, timeout)
        return result

    async def cancel(self) -> State:
        """End it, as `AsyncClient.cancel`."""
        self.state = await self._client.cancel(self.id)
        return self.state
