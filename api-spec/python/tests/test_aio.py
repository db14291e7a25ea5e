"""The asynchronous client does what the other does: the same calls, decisions and answers."""

from __future__ import annotations

import datetime
import inspect
import typing

import anyio
import fake
import httpx
import pytest

from engined_client import AsyncClient, AsyncExecution, Client, Execution, NotFinished, Retry, errors
from engined_client.aio_grade import AsyncBatches, AsyncBlobs
from engined_client.grade import Batches, Blobs


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both libraries that httpx runs on."""
    return str(request.param)


pytestmark = pytest.mark.anyio


async def test_run() -> None:
    engine = fake.Fake(fake.answer(fake.result()))
    async with engine.async_client(token="secret") as client:
        result = await client.run("python", "print()", request_id="r-1", timeout=2.0)
    assert result.stdout == "hello\n"
    assert engine.calls == ["POST /v1/executions"]
    assert engine.asked[0].headers["authorization"] == "Bearer secret"
    assert engine.asked[0].headers["x-request-id"] == "r-1"
    assert engine.asked[0].extensions["timeout"]["read"] == 2.0


async def test_submit_wait_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fake.Fake(
        fake.answer(fake.queued(), 202),
        fake.answer(fake.running()),
        fake.answer(fake.running()),
        fake.answer(fake.result()),
        fake.answer(fake.result()),
        fake.answer(fake.queued()),
    )
    async with engine.async_client() as client:
        execution = await client.submit("python", "print()")
        assert repr(execution) == f"AsyncExecution('{fake.ID}', queued)"
        assert not (await execution.status()).finished
        assert (await execution.wait()).ok
        assert (await execution.cancel()).finished
        with pytest.raises(NotFinished):
            await client.execution(fake.ID).wait(timeout=0)


async def test_decisions_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("anyio.sleep", sleep)
    engine = fake.Fake(fake.problem("queue_full", 503, "1"), httpx.ConnectError("refused"), fake.answer(fake.result()))
    assert (await engine.async_client(Retry()).run("python", "")).ok
    assert len(pauses) == 2
    engine = fake.Fake(httpx.ReadError("reset"))
    with pytest.raises(errors.TransportError):
        await engine.async_client(Retry()).run("python", "")
    assert len(pauses) == 2


async def test_the_rest() -> None:
    engine = fake.Fake(
        fake.answer({"engine": "9", "api": "v1"}),
        fake.answer({"languages": [], "unavailable": []}),
        fake.answer({"layers": [], "engine_layers": [], "cgroup": "v2", "landlock_abi": 6, "pinned_cpus": 0}),
        fake.answer(
            {
                "first_day": "2026-11-26",
                "last_day": "2026-11-26",
                "since": None,
                "durable": True,
                "behind_records": 0,
                "usage": [],
            }
        ),
        fake.answer({"status": "ok"}),
        fake.problem("draining", 503, "5"),
        fake.problem("unknown_version", 422),
        fake.answer(fake.result()),
        fake.problem("not_found", 404),
    )
    async with engine.async_client() as client:
        assert (await client.version()).engine == "9"
        assert (await client.languages()).get("python") is None
        assert (await client.isolation()).cgroup == "v2"
        assert (await client.usage(datetime.date(2026, 11, 26), tenant="school")).usage == ()
        assert engine.calls[-1] == "GET /v1/usage?from=2026-11-26&tenant=school"
        assert await client.healthy()
        assert not await client.ready()
        with pytest.raises(errors.UnknownVersion):
            await client.validate("python", "", version="2")
        assert (await client.get(fake.ID)).finished
        with pytest.raises(errors.NotFound):
            await client.cancel(fake.ID)
    with pytest.raises(RuntimeError, match="is closed"):
        await client.version()


async def test_cancelling_a_run_closes_its_connection() -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    began, gone = anyio.Event(), anyio.Event()

    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            async for _ in stream:
                began.set()
            gone.set()

    async def run(client: AsyncClient) -> None:
        await client.run("python", "while True: pass")

    with anyio.fail_after(150):
        async with anyio.create_task_group() as outer, AsyncClient(f"http://127.0.0.1:{port}") as client:
            outer.start_soon(listener.serve, serve)
            async with anyio.create_task_group() as inner:
                inner.start_soon(run, client)
                await began.wait()
                inner.cancel_scope.cancel()
            await gone.wait()
            outer.cancel_scope.cancel()
        await listener.aclose()


@pytest.mark.parametrize(
    ("sync", "other"),
    [(Client, AsyncClient), (Execution, AsyncExecution), (Batches, AsyncBatches), (Blobs, AsyncBlobs)],
)
def test_both_have_the_same_methods(sync: type, other: type) -> None:
    def public(kind: type) -> dict[str, typing.Any]:
        return {name: method for name, method in vars(kind).items() if not name.startswith("_")}

    ours, theirs = public(sync), public(other)
    assert ours.keys() - {"close"} == theirs.keys() - {"aclose"}
    for name in ours.keys() & theirs.keys():
        if isinstance(ours[name], property):
            assert isinstance(theirs[name], property), name
            continue
        said = inspect.signature(ours[name]).replace(return_annotation=None)
        assert said == inspect.signature(theirs[name]).replace(return_annotation=None), name
