"""Calls are made again where that cannot run a program twice, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import fake
import httpx
import pytest

from engined_client import Client, Retry, errors


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been slept."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


def run(client: Client) -> object:
    return client.run("python", "")


def submit(client: Client) -> object:
    return client.submit("python", "")


def validate(client: Client) -> object:
    return client.validate("python", "")


def get(client: Client) -> object:
    return client.get(fake.ID)


def cancel(client: Client) -> object:
    return client.cancel(fake.ID)


RUNNING = [run, submit]
ASKING = [validate, get, cancel]
NEVER_SENT: list[Exception] = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("busy")]
BROKEN: list[Exception] = [httpx.ReadError("reset"), httpx.WriteError("reset"), httpx.RemoteProtocolError("hung up")]
LATE: list[Exception] = [httpx.ReadTimeout("slow"), httpx.WriteTimeout("slow")]
BUSY = {
    429: ["rate_limited", "quota_exceeded"],
    503: ["queue_full", "draining", "not_ready", "memory_budget", "store_full"],
}


def good(request: httpx.Request) -> httpx.Response:
    if "validate" in request.url.query.decode():
        limits = dict.fromkeys(
            [
                *("cpu_time_ms", "wall_time_ms", "memory_bytes", "processes", "cpus", "output_bytes"),
                *("file_bytes", "disk_bytes", "open_files", "stack_bytes"),
            ],
            1,
        )
        language = {"id": "python", "version": "3.11.2"}
        return fake.answer({"valid": True, "language": language, "limits": limits, "compile_limits": None})
    return fake.answer(fake.result())


Do = Callable[[Client], object]


@pytest.mark.parametrize("do", RUNNING + ASKING)
@pytest.mark.parametrize("failure", NEVER_SENT, ids=repr)
def test_what_was_never_sent_is_sent_again(do: Do, failure: Exception, pauses: list[float]) -> None:
    engine = fake.Fake(failure, failure, good)
    do(engine.client(Retry()))
    assert len(engine.asked) == 3
    assert len({request.content for request in engine.asked}) == 1
    assert 0.05 <= pauses[0] <= 0.1
    assert 0.1 <= pauses[1] <= 0.2


@pytest.mark.parametrize("do", RUNNING)
@pytest.mark.parametrize("failure", BROKEN + LATE, ids=repr)
def test_what_may_have_begun_is_not_begun_again(do: Do, failure: Exception, pauses: list[float]) -> None:
    engine = fake.Fake(failure)
    with pytest.raises(errors.TransportError):
        do(engine.client(Retry()))
    assert (len(engine.asked), pauses) == (1, [])


@pytest.mark.parametrize("do", ASKING)
@pytest.mark.parametrize("failure", BROKEN, ids=repr)
def test_a_question_is_asked_again(do: Do, failure: Exception, pauses: list[float]) -> None:
    engine = fake.Fake(failure, good)
    do(engine.client(Retry()))
    assert len(engine.asked) == 2
    assert len(pauses) == 1


@pytest.mark.parametrize("do", ASKING)
@pytest.mark.parametrize("failure", LATE, ids=repr)
def test_nothing_is_asked_again_after_a_time_out(do: Do, failure: Exception, pauses: list[float]) -> None:
    engine = fake.Fake(failure)
    with pytest.raises(errors.TimedOut):
        do(engine.client(Retry()))
    assert (len(engine.asked), pauses) == (1, [])


@pytest.mark.parametrize("do", RUNNING + ASKING)
@pytest.mark.parametrize(("status", "code"), [(status, code) for status, codes in BUSY.items() for code in codes])
def test_no_room_is_waited_for(do: Do, status: int, code: str, pauses: list[float]) -> None:
    engine = fake.Fake(fake.problem(code, status, "2"), good)
    do(engine.client(Retry()))
    # Never earlier than told, and not all at the same moment.
    assert 2.0 < pauses[0] <= 2.1


def test_no_room_is_not_waited_for_without_being_told_how_long(pauses: list[float]) -> None:
    for retry_after in (None, "soon", "", "-1", "Wed, 25 Nov 2026 12:00:00 GMT"):
        engine = fake.Fake(fake.problem("queue_full", 503, retry_after))
        with pytest.raises(errors.QueueFull) as caught:
            run(engine.client(Retry()))
        assert caught.value.retry_after is None
    assert pauses == []


def test_a_program_is_not_sent_again_for_a_reason_that_we_do_not_know(pauses: list[float]) -> None:
    engine = fake.Fake(fake.problem("new_reason", 503, "1"))
    with pytest.raises(errors.BusyError):
        run(engine.client(Retry()))
    engine = fake.Fake(fake.problem("new_reason", 503, "1"), good)
    get(engine.client(Retry()))
    assert len(pauses) == 1


@pytest.mark.parametrize("code", sorted(set(errors.BY_CODE) - {code for codes in BUSY.values() for code in codes}))
def test_a_mistake_is_made_once(code: str, pauses: list[float]) -> None:
    status = 500 if code == "internal" else 400
    engine = fake.Fake(fake.problem(code, status, "1"))
    with pytest.raises(errors.ProblemError):
        get(engine.client(Retry()))
    assert pauses == []


def test_the_patience_ends(pauses: list[float]) -> None:
    engine = fake.Fake(*[fake.problem("queue_full", 503, "3")] * 9)
    with pytest.raises(errors.QueueFull) as caught:
        run(engine.client(Retry(max_wait=10.0)))
    assert caught.value.retry_after == 3.0
    assert len(engine.asked) == 4
    assert sum(pauses) <= 10.0
    engine = fake.Fake(fake.problem("queue_full", 503, "60"))
    with pytest.raises(errors.QueueFull):
        run(engine.client(Retry(max_wait=10.0)))
    assert len(engine.asked) == 1


def test_the_attempts_end(pauses: list[float]) -> None:
    engine = fake.Fake(*[httpx.ConnectError("refused")] * 4)
    with pytest.raises(errors.ConnectFailed, match="no connection to http://fake: refused"):
        run(engine.client(Retry(attempts=4)))
    assert len(pauses) == 3
    assert Retry(attempts=10**9, max_wait=1e9).pause(10**6, 0.0, None) is not None


def test_it_can_be_switched_off(pauses: list[float]) -> None:
    for failure in (httpx.ConnectError("refused"), fake.problem("queue_full", 503, "1")):
        engine = fake.Fake(failure)
        with pytest.raises(errors.EnginedError):
            run(engine.client(retry=None))
        with pytest.raises(errors.EnginedError):
            run(fake.Fake(failure).client(Retry(max_wait=0.0)))
    assert pauses == []
