"""Batches and blobs of a real engine."""

from __future__ import annotations

import os

import anyio
import pytest

from engined_client import (
    AsyncClient,
    BatchSummary,
    Blob,
    Checker,
    CheckerProgram,
    Client,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    Submission,
    Test,
    TestResult,
    UnknownBlob,
)

DOUBLE = Submission("ada", "python", "print(int(input()) * 2)")
SQUARE = Submission("bob", "python", "print(int(input()) ** 2)")
TESTS = [Test("1", "2\n", "4\n", points=1), Test("2", "3\n", "6\n", points=3)]


def test_a_batch_is_judged(client: Client) -> None:
    batch = client.batches.create([DOUBLE, SQUARE], TESTS, labels={"kind": "judged"})
    assert (batch.submissions, batch.tests, batch.results) == (2, 2, 4)
    results = list(client.batches.results(batch.id))
    assert [result.seq for result in results] == [1, 2, 3, 4]
    verdicts = {(result.submission, result.test): result.verdict for result in results}
    assert verdicts == {
        ("ada", "1"): "accepted",
        ("ada", "2"): "accepted",
        ("bob", "1"): "accepted",
        ("bob", "2"): "wrong_answer",
    }
    wrong = next(result for result in results if not result.accepted)
    assert wrong.checker is not None
    assert wrong.checker.difference is not None
    assert (wrong.checker.difference.expected, wrong.checker.difference.found) == ("6", "9")
    assert wrong.stdout is not None
    assert wrong.stdout.text == "9\n"
    found = client.batches.wait(batch.id, timeout=300)
    assert found.status == "finished"
    assert found.verdicts == {"accepted": 3, "wrong_answer": 1}
    rows = [(row.id, row.verdict, row.points, row.max_points) for row in found.submission_results]
    assert rows == [("ada", "accepted", 4, 4), ("bob", "partial", 1, 4)]
    assert [result.seq for result in client.batches.results(batch.id, from_seq=4)] == [4]

    again = client.batches.rejudge(batch.id, ["bob"])
    assert (again.rejudge_of, again.submissions) == (batch.id, 1)
    events = list(client.batches.events(again.id))
    assert sorted(event.data.test for event in events if isinstance(event.data, TestResult)) == ["1", "2"]
    assert isinstance(events[-1].data, BatchSummary)
    listed = [one.id for one in client.batches.list(status="finished", label=("kind", "judged"), limit=1)]
    assert listed.index(again.id) < listed.index(batch.id)


def test_a_batch_is_cancelled(client: Client) -> None:
    batch = client.batches.create([Submission("a", "python", "while True: pass")], TESTS, repeat=100)
    client.batches.cancel(batch.id)
    assert client.batches.wait(batch.id, timeout=300).status == "cancelled"
    assert len(list(client.batches.results(batch.id))) < 200


def test_the_same_key_gives_the_same_batch(client: Client) -> None:
    key = os.urandom(16).hex()
    first = client.batches.create([DOUBLE], TESTS, idempotency_key=key)
    assert client.batches.create([DOUBLE], TESTS, idempotency_key=key).id == first.id
    with pytest.raises(IdempotencyConflict):
        client.batches.create([SQUARE], TESTS, idempotency_key=key)


def test_a_checker_program_decides(client: Client) -> None:
    source = "import sys\nsys.exit(42 if sys.stdin.read() == open(sys.argv[2]).read() else 43)\n"
    program = CheckerProgram("python", "kattis", source)
    batch = client.batches.create([DOUBLE, SQUARE], TESTS, checker=Checker("program", program=program))
    assert client.batches.wait(batch.id, timeout=300).verdicts == {"accepted": 3, "wrong_answer": 1}
    broken = CheckerProgram("c", "kattis", "int main(void) { return }")
    with pytest.raises(InvalidRequest, match="does not compile") as caught:
        client.batches.create([DOUBLE], TESTS, checker=Checker("program", program=broken))
    assert caught.value.field == "/checker/program"


def test_data_is_sent_once(client: Client) -> None:
    data = os.urandom(1 << 20) + b"\n"
    blob = client.blobs.put(data)
    assert client.blobs.exists(blob)
    assert client.blobs.put(data) == blob
    count = "import sys\nprint(len(sys.stdin.buffer.read()))"
    assert client.run("python", count, stdin=blob).stdout == f"{len(data)}\n"
    batch = client.batches.create([Submission("a", "python", count)], [Test("1", blob, f"{len(data)}")])
    assert client.batches.wait(batch.id, timeout=300).verdicts == {"accepted": 1}
    client.blobs.delete(blob)
    assert not client.blobs.exists(blob)
    with pytest.raises(UnknownBlob) as caught:
        client.batches.create([DOUBLE], [Test("1", Blob(f"sha256:{'0' * 64}"))])
    assert (caught.value.field or "").startswith("/tests/0/stdin")
    with pytest.raises(NotFound):
        client.blobs.delete("0" * 64)


def test_the_asynchronous_client_grades_too(url: str, token: str) -> None:
    async def main() -> None:
        async with AsyncClient(url, token) as client:
            stdin = await client.blobs.put(b"2\n")
            batch = await client.batches.create([DOUBLE], [Test("1", stdin, "4")])
            assert [result.verdict async for result in client.batches.results(batch.id)] == ["accepted"]
            names = [event.name async for event in client.batches.events(batch.id)]
            assert names[-1] == "finished"

    anyio.run(main)
