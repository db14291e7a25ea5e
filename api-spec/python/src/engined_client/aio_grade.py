"""Batches and blobs of the asynchronous client."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpx

from engined_client import _grade
from engined_client._calls import Call
from engined_client._grade import Events, Lines, Place
from engined_client._upload import Data, Upload
from engined_client.errors import EnginedError
from engined_client.grade import ENDED, CreateOptions
from engined_client.grading import SubmissionLike, TestLike
from engined_client.requests import Blob, CallOptions
from engined_client.results import Batch, BatchEvent, BatchSummary, TestResult
from engined_client.retry import transport_error

if TYPE_CHECKING:
    from engined_client.aio import AsyncClient

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack


class AsyncBatches:
    """Many programs judged by the same tests: `client.batches`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def create(
        self,
        submissions: Iterable[SubmissionLike],
        tests: Iterable[TestLike],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[CreateOptions],
    ) -> BatchSummary:
        """Have programs judged. What is accepted survives the engine; its results come by its `id`.

        All fields are those of the contract; submissions, tests, groups and checkers may be mappings as well. The same
        key and body give the same batch, for 24 h: without a key one is made for this call and its retries.
        """
        return await self._client._do(_grade.create(submissions, tests, idempotency_key, {**options}))

    async def get(self, id: str, wait_ms: int = 0, **options: Unpack[CallOptions]) -> Batch:
        """Ask how far a batch is. With `wait_ms`, up to 60,000, the engine answers when it is over, or that time is."""
        return await self._client._do(_grade.get(id, wait_ms, options))

    async def wait(self, id: str, timeout: float | None = None) -> Batch:
        """Wait for its end, at most `timeout` seconds: `NotFinished` then, and it goes on."""
        client = self._client
        return await client._drive(_grade.wait_flow(id, timeout, client._retry, client._address.shown))

    async def results(self, id: str, from_seq: int = 1) -> AsyncIterator[TestResult]:
        """Follow the results as they come, from this `seq` on, until the batch is over.

        A connection that breaks is made again, from the next one on: none is missing, none comes twice. After an
        exception go on with the last `seq` plus 1.
        """
        place = Place(id, from_seq, self._client._retry)
        while not place.over:
            try:
                call = place.results()
                async for line, response in self._lines(call):
                    yield _grade.result_of(line, place, call, response)
                pause = place.looked(await self.get(id)) if place.is_quiet else 0.0
            except EnginedError as error:
                pause = place.pause(error)
            await anyio.sleep(pause)

    async def events(self, id: str, last_event_id: int = 0) -> AsyncIterator[BatchEvent]:
        """Follow a batch as server-sent events: each result, how far it is, and at last `finished`.

        As `results`; `last_event_id` is the `id` of the last event that the caller has.
        """
        place = Place(id, last_event_id + 1, self._client._retry)
        while not place.over:
            try:
                call, events = place.events(), Events()
                async for line, response in self._lines(call):
                    event = _grade.event_of(line, events, place, call, response)
                    if event is not None:
                        yield event
                # An engine that shuts down ends the stream; the next one goes on.
                pause = 0.0 if place.over else place.pause(transport_error(ENDED, self._client._address.shown, None))
            except EnginedError as error:
                pause = place.pause(error)
            await anyio.sleep(pause)

    async def cancel(self, id: str, **options: Unpack[CallOptions]) -> BatchSummary:
        """End a batch. What has no result by then gets none."""
        return await self._client._do(_grade.cancel(id, options))

    async def rejudge(
        self,
        id: str,
        submissions: Iterable[str] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[CallOptions],
    ) -> BatchSummary:
        """Judge a batch again, or some of its submissions, as a new batch of the same data."""
        return await self._client._do(_grade.rejudge(id, submissions, idempotency_key, {**options}))

    async def list(
        self,
        *,
        status: str | None = None,
        label: tuple[str, str] | None = None,
        limit: int | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[BatchSummary]:
        """List batches, the newest first, page by page as they are used. `label` is a name and a value.

        `limit` is the size of a page.
        """
        cursor = None
        while True:
            page = await self._client._do(_grade.page(status, label, limit, cursor, options))
            for batch in page.batches:
                yield batch
            cursor = page.next
            if cursor is None:
                return

    async def _lines(self, call: Call[Any]) -> AsyncIterator[tuple[bytes, httpx.Response]]:
        client, lines = self._client, Lines()
        try:
            response = await client._open(call)
            try:
                if not _grade.is_stream(call, response):
                    await response.aread()
                    raise _grade.refuse(call, response)
                async for piece in response.aiter_bytes():
                    for line in lines.take(piece):
                        yield line, response
            finally:
                await response.aclose()
        except httpx.HTTPError as cause:
            raise transport_error(cause, client._address.shown, call.timeout) from cause


class AsyncBlobs:
    """Data that is sent once: `client.blobs`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def put(self, data: Data, **options: Unpack[CallOptions]) -> Blob:
        """Send bytes, a file's by its path, or an open file's, unless the engine has them: a name to use as input.

        They are read in pieces, once to hash them and once to send them, and never held as a whole.
        """
        upload = Upload.of(data)
        digest, length = await anyio.to_thread.run_sync(upload.digest)
        if await self.exists(digest, **options):
            return Blob(f"sha256:{digest}")
        return await self._client._do(_grade.put(upload, digest, length, options))

    async def exists(self, blob: str, **options: Unpack[CallOptions]) -> bool:
        """Tell whether the engine has it."""
        return await self._client._do(_grade.exists(blob, options))

    async def delete(self, blob: str, **options: Unpack[CallOptions]) -> bool:
        """Give it up. False where a kept batch still has it: then it leaves the disk with the batch."""
        return await self._client._do(_grade.delete(blob, options))
