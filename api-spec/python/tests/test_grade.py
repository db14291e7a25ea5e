"""Batches and blobs, against an engine that says what a test wants it to say."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fake import ID, Fake, answer, batch, line, problem, stream, whole_batch

from engined_client import (
    Blob,
    Checker,
    CheckerProgram,
    ConnectFailed,
    Group,
    Limits,
    NotFinished,
    NotFound,
    Retry,
    Submission,
    Test,
    TestResult,
    UnexpectedAnswer,
)
from engined_client._upload import Data
from engined_client.results import BatchSummary

QUICK = Retry(max_wait=1.0, first_pause=0.001, longest_pause=0.002)
NDJSON, EVENTS = "application/x-ndjson", "text/event-stream"
BROKEN = httpx.ReadError("gone")
HASH = hashlib.sha256(b"data").hexdigest()


def event(name: str, id: int, data: bytes | dict[str, Any]) -> bytes:
    text = data.strip() if isinstance(data, bytes) else json.dumps(data).encode()
    return f"id: {id}\nevent: {name}\ndata: ".encode() + text + b"\n\n"


def test_a_batch_is_sent_with_all_its_fields() -> None:
    fake = Fake(answer(batch(), 202))
    blob = Blob(f"sha256:{HASH}")
    checker = Checker("program", program=CheckerProgram("cpp", "testlib", "int main(){}", args=["x"]))
    with fake.client() as client:
        created = client.batches.create(
            [
                Submission("ada", "c", b"\xff", compile_flags=["-O1"]),
                {"id": "bob", "language": "java", "files": {"A": ""}},
            ],
            [Test("1", blob, "4\n", group="g", points=10, limits=Limits(cpu_time_ms=5)), {"id": "2", "stdin": ""}],
            groups=[Group("g", "min")],
            checker=checker,
            limits_by_language={"java": {"memory_bytes": 1 << 29}},
            repeat=2,
            labels={"exercise": "doubling"},
            request_id="r1",
        )
    assert created.id == ID
    assert not created.over
    assert fake.bodies == [
        {
            "submissions": [
                {"id": "ada", "language": "c", "source": {"base64": "/w=="}, "compile_flags": ["-O1"]},
                {"id": "bob", "language": "java", "files": [{"path": "A", "content": ""}]},
            ],
            "tests": [
                {
                    "id": "1",
                    "group": "g",
                    "points": 10,
                    "stdin": {"blob": f"sha256:{HASH}"},
                    "expected": "4\n",
                    "limits": {"cpu_time_ms": 5},
                },
                {"id": "2", "stdin": ""},
            ],
            "groups": [{"id": "g", "rule": "min"}],
            "checker": {
                "kind": "program",
                "program": {"language": "cpp", "source": "int main(){}", "protocol": "testlib", "args": ["x"]},
            },
            "limits_by_language": {"java": {"memory_bytes": 1 << 29}},
            "repeat": 2,
            "labels": {"exercise": "doubling"},
        }
    ]
    assert fake.asked[0].headers["X-Request-Id"] == "r1"


def test_a_checker_may_be_a_word_and_a_wrong_name_is_told() -> None:
    fake = Fake(answer(batch(), 202))
    with fake.client() as client:
        client.batches.create([], [], checker="tokens")
        with pytest.raises(TypeError, match=r"Test has no input; it has .*stdin"):
            client.batches.create([], [{"id": "1", "input": ""}])
    assert fake.bodies[0]["checker"] == {"kind": "tokens"}


def test_a_lost_answer_is_asked_for_again_with_the_same_key() -> None:
    fake = Fake(
        BROKEN, problem("queue_full", 503, "0"), answer(batch(), 202), answer(batch(), 202), answer(batch(), 202)
    )
    with fake.client(QUICK) as client:
        client.batches.create([Submission("a", "c", "")], [Test("1", "")])
        client.batches.create([], [], idempotency_key="mine")
        client.batches.rejudge(ID, ["bob"])
    keys = [request.headers["Idempotency-Key"] for request in fake.asked]
    assert len(set(keys[:3])) == 1
    assert len(keys[0]) == 36
    assert keys[3] == "mine"
    assert keys[4] not in keys[:4]
    assert fake.bodies[0] == fake.bodies[2]
    assert fake.bodies[4] == {"submissions": ["bob"]}
    with pytest.raises(TypeError, match="a list of ids"), fake.client() as client:
        client.batches.rejudge(ID, "bob")


def test_results_are_followed_to_the_end() -> None:
    half = line(3)
    fake = Fake(
        stream(NDJSON, line(1) + line(2)[:20], line(2)[20:] + half[:30], BROKEN),
        httpx.ConnectError("restarting"),
        stream(NDJSON, half),
        stream(NDJSON),
        answer(whole_batch(3)),
        stream(NDJSON, line(4)),
        stream(NDJSON),
        answer(whole_batch(4, "finished")),
    )
    with fake.client(QUICK) as client:
        found = list(client.batches.results(ID))
    assert [result.seq for result in found] == [1, 2, 3, 4]
    assert found[0].accepted
    assert found[0].stdout
    assert found[0].stdout.text == "a\u2028b\x85\n"
    assert found[0].raw["test"] == "1"
    asked = [request.url.params.get("from") for request in fake.asked]
    assert asked == ["1", "3", "3", "4", None, "4", "5", None]
    assert fake.asked[0].headers["Accept"].startswith(NDJSON)


def test_results_of_a_cancelled_batch_end() -> None:
    fake = Fake(
        stream(NDJSON),
        answer(whole_batch(2, "cancelled")),
        stream(NDJSON, line(2)),
        stream(NDJSON),
        answer(whole_batch(2, "cancelled")),
    )
    with fake.client() as client:
        assert [result.seq for result in client.batches.results(ID, from_seq=2)] == [2]


def test_what_cannot_be_followed_is_told() -> None:
    def fails(fake: Fake, kind: type[Exception], retry: Retry | None = QUICK) -> None:
        with fake.client(retry) as client, pytest.raises(kind):
            list(client.batches.results(ID))
        assert not fake.script

    fails(Fake(problem("not_found", 404)), NotFound)
    fails(Fake(stream("text/html", b"hello")), UnexpectedAnswer)
    fails(Fake(stream(NDJSON, b'{"seq": 1}\n')), UnexpectedAnswer)
    fails(Fake(stream(NDJSON, b"seq\n")), UnexpectedAnswer)
    fails(Fake(httpx.ConnectError("no")), ConnectFailed, None)
    fails(Fake(*[httpx.ConnectError("no")] * 8), ConnectFailed)
    with Fake().client() as client, pytest.raises(ValueError, match="no batch's id"):
        list(client.batches.results("../x"))


def test_events_go_on_behind_the_last_one() -> None:
    progress = event("progress", 1, {"done": 1, "results": 4})
    fake = Fake(
        stream(EVENTS, b"retry: 2000\n\n", event("result", 1, line(1)) + progress, b":\n\nid: 2\nevent: res"),
        stream(EVENTS, event("news", 2, {}), event("result", 2, line(2)), BROKEN),
        stream(EVENTS, event("finished", 2, batch(2, "finished")), event("result", 3, line(3))),
    )
    with fake.client(QUICK) as client:
        events = list(client.batches.events(ID))
    assert [(one.name, one.id) for one in events[:4]] == [
        ("result", 1),
        ("progress", 1),
        ("result", 2),
        ("finished", 2),
    ]
    assert isinstance(events[0].data, TestResult)
    assert isinstance(events[3].data, BatchSummary)
    assert [request.headers["Last-Event-ID"] for request in fake.asked] == ["0", "1", "2"]


def test_a_list_is_read_page_by_page() -> None:
    fake = Fake(answer({"batches": [batch(), batch()], "next": "01K"}), answer({"batches": [batch()], "next": None}))
    with fake.client() as client:
        assert len(list(client.batches.list(status="running", label=("course", "a b"), limit=2))) == 3
    assert (
        fake.calls
        == [
            "GET /v1/batches?status=running&label=course%3Aa%20b&limit=2",
            "GET /v1/batches?status=running&label=course%3Aa%20b&limit=2&cursor=01K",
        ]
        or fake.calls[0] == "GET /v1/batches?status=running&label=course%3Aa+b&limit=2"
    )


def test_a_batch_is_waited_for_and_cancelled() -> None:
    fake = Fake(answer(whole_batch()), answer(whole_batch(4, "finished")), answer(batch(), 202), answer(whole_batch()))
    with fake.client() as client:
        assert client.batches.wait(ID).over
        assert client.batches.cancel(ID).status == "running"
        with pytest.raises(NotFinished) as caught:
            client.batches.wait(ID, timeout=0)
    assert caught.value.id == ID
    assert fake.calls[0] == f"GET /v1/batches/{ID}?wait_ms=30000"
    assert fake.calls[2] == f"DELETE /v1/batches/{ID}"


@pytest.mark.parametrize("kind", ["bytes", "path", "text path", "file"])
def test_a_blob_is_sent_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"data")
    file = io.BytesIO(b"xxdata")
    file.seek(2)
    kinds: dict[str, Data] = {"bytes": b"data", "path": path, "text path": str(path), "file": file}
    fake = Fake(httpx.Response(404), BROKEN, httpx.Response(201), httpx.Response(200))
    with fake.client(QUICK) as client:
        blob = client.blobs.put(kinds[kind])
        assert client.blobs.put(b"data") == blob == f"sha256:{HASH}"
    assert isinstance(blob, Blob)
    assert fake.calls == [f"HEAD /v1/blobs/{HASH}", *[f"PUT /v1/blobs/{HASH}"] * 2, f"HEAD /v1/blobs/{HASH}"]
    assert fake.asked[1].headers["Content-Length"] == "4"
    assert "Transfer-Encoding" not in fake.asked[1].headers
    assert fake.asked[1].headers["Content-Type"] == "application/octet-stream"
    assert fake.asked[2].read() == b"data"


def test_blobs_are_asked_for_and_given_up() -> None:
    fake = Fake(
        httpx.Response(200),
        httpx.Response(404, headers={"Content-Type": "application/problem+json"}),
        httpx.Response(204),
        httpx.Response(202),
        problem("not_found", 404),
        httpx.Response(503, headers={"Content-Type": "application/problem+json", "Retry-After": "1"}),
    )
    with fake.client() as client:
        assert client.blobs.exists(HASH)
        assert not client.blobs.exists(f"sha256:{HASH}")
        assert client.blobs.delete(HASH)
        assert not client.blobs.delete(HASH)
        with pytest.raises(NotFound):
            client.blobs.delete(HASH)
        with pytest.raises(Exception, match="status 503"):
            client.blobs.exists(HASH)
        with pytest.raises(ValueError, match="no blob's name"):
            client.blobs.exists("sha256:00")
        with pytest.raises(TypeError, match="opened in binary mode"):
            client.blobs.put(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_asynchronous_client_does_the_same(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"data")
    fake = Fake(
        httpx.Response(404),
        httpx.Response(201),
        answer(batch(), 202),
        stream(NDJSON, line(1), BROKEN),
        stream(NDJSON),
        answer(whole_batch(1, "finished")),
        stream(EVENTS, event("result", 1, line(1))),
        stream(EVENTS, event("finished", 1, batch(1, "finished"))),
        answer({"batches": [batch()], "next": None}),
        answer(whole_batch(1, "finished")),
    )

    async def main() -> None:
        async with fake.async_client(QUICK) as client:
            blob = await client.blobs.put(path)
            created = await client.batches.create([Submission("a", "c", "")], [Test("1", blob)])
            assert [result.seq async for result in client.batches.results(created.id)] == [1]
            assert [one.name async for one in client.batches.events(created.id)] == ["result", "finished"]
            assert [one.id async for one in client.batches.list()] == [ID]
            assert (await client.batches.wait(ID)).over

    anyio.run(main, backend=backend)
    assert fake.asked[1].content == b"data"
    assert json.loads(fake.asked[2].content)["tests"] == [{"id": "1", "stdin": {"blob": f"sha256:{HASH}"}}]
