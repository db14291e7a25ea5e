"""The task, with a Celery worker and a real engine; what a real engine can't be made to say, with one that can."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake
import httpx
import pytest
from celery.contrib.testing.worker import start_worker

from engined_client import Client, Limits, errors

SUBMIT, FETCH = "POST /v1/executions?wait=false", f"GET /v1/executions/{fake.ID}?wait_ms=10000"


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with records of its own, and no pauses before another attempt."""
    tasks = importlib.import_module("examples.celery_task.tasks")
    monkeypatch.setattr(tasks, "records", tasks.Records(str(tmp_path / "runs.sqlite3")))
    monkeypatch.setattr(tasks, "pause", lambda *_: 0)
    return tasks


@pytest.fixture
def eager(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., fake.Fake]:
    """Deliver a task, to this very thread, with an engine that says what it is told to say."""

    def deliver(*script: fake.Step) -> fake.Fake:
        engine = fake.Fake(*script)
        monkeypatch.setattr(tasks, "engine", engine.client())
        tasks.run_submission.apply(("s1", "python", "print()")).get()
        assert engine.script == []
        return engine

    return deliver


def test_it_is_run_and_recorded(tasks: Any, eager: Callable[..., fake.Fake]) -> None:
    engine = eager(fake.answer(fake.queued(), 202), fake.answer(fake.result()))
    assert engine.calls[0] == SUBMIT
    assert engine.bodies[0]["labels"] == {"submission": "s1"}
    assert tasks.records.get("s1") == (fake.ID, "ok", "hello\n")
    # The broker delivers it once more.
    assert eager().calls == []


def test_a_lost_worker_leaves_its_execution_to_the_next(tasks: Any, eager: Callable[..., fake.Fake]) -> None:
    tasks.records.begun("s1", fake.ID)
    engine = eager(fake.answer(fake.result(verdict="runtime_error")))
    assert [call.partition("?")[0] for call in engine.calls] == [f"GET /v1/executions/{fake.ID}"]
    assert tasks.records.get("s1")[1] == "runtime_error"


def test_no_room_goes_back_to_the_broker(tasks: Any, eager: Callable[..., fake.Fake]) -> None:
    engine = eager(
        fake.problem("queue_full", 503, "1"),
        httpx.ConnectError("refused"),
        fake.answer(fake.queued(), 202),
        fake.problem("not_ready", 503, "1"),
        fake.answer(fake.result()),
    )
    assert engine.calls.count(SUBMIT) == 3
    assert tasks.records.get("s1")[1] == "ok"


@pytest.mark.parametrize("gone", [("not_found", 404), ("result_expired", 404)])
def test_an_engine_that_forgot_is_asked_anew(tasks: Any, eager: Callable[..., fake.Fake], gone: Any) -> None:
    tasks.records.begun("s1", fake.ID)
    engine = eager(fake.problem(*gone), fake.answer(fake.queued(), 202), fake.answer(fake.result()))
    assert engine.calls.count(SUBMIT) == 1
    assert tasks.records.get("s1")[1] == "ok"


@pytest.mark.parametrize(
    "failed",
    [
        {"verdict": "engine_error"},
        {
            "verdict": "cancelled",
            "reason": {"limit": None, "value": None, "observed": None, "message": "No slot.", "hint": "queue_wait"},
        },
    ],
)
def test_what_was_not_the_program_is_run_again(
    tasks: Any, eager: Callable[..., fake.Fake], failed: dict[str, Any]
) -> None:
    engine = eager(
        fake.answer(fake.queued(), 202),
        fake.answer(fake.result(**failed, run=None)),
        fake.answer(fake.queued(), 202),
        fake.answer(fake.result()),
    )
    assert engine.calls.count(SUBMIT) == 2
    assert tasks.records.get("s1")[1] == "ok"


def test_a_wrong_submission_is_recorded(tasks: Any, eager: Callable[..., fake.Fake]) -> None:
    eager(fake.problem("unknown_language", 422))
    assert tasks.records.get("s1") == (None, "refused", "what and why")


def test_a_wrong_token_fails_the_task(tasks: Any, eager: Callable[..., fake.Fake]) -> None:
    with pytest.raises(errors.Unauthenticated):
        eager(fake.problem("unauthenticated", 401))
    assert tasks.records.get("s1") == (None, None, None)


def test_pauses_are_as_long_as_the_engine_says() -> None:
    pause = importlib.import_module("examples.celery_task.tasks").pause

    class Task:
        class request:
            retries = 3

    assert 7.0 <= pause(Task, errors.problem(code="queue_full", status=503, retry_after=7.0)) <= 10.5
    assert 8.0 <= pause(Task, errors.ConnectFailed("refused")) <= 12.0


@pytest.fixture
def worker(tasks: Any, environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker in a thread, with a broker in memory and the real engine."""
    with Client(retry=None) as client:
        monkeypatch.setattr(tasks, "engine", client)
        monkeypatch.setattr(tasks, "PATIENCE_SECONDS", 0.2)
        # Others may have the machine for a while: no program here is to end for that.
        monkeypatch.setattr(tasks, "LIMITS", Limits(cpu_time_ms=2000, wall_time_ms=150_000))
        with start_worker(tasks.app, perform_ping_check=False, loglevel="ERROR"):
            yield


def ended(tasks: Any, submission: str) -> tuple[str | None, ...]:
    """Wait until the submission has its verdict."""
    deadline = time.monotonic() + 150
    while (record := tasks.records.get(submission))[1] is None:
        assert time.monotonic() < deadline, f"{submission} has no verdict"
        time.sleep(0.02)
    return tuple(record)


def test_a_worker_and_a_real_engine(tasks: Any, worker: None) -> None:
    # Longer than the worker waits: it comes back to it, and does the others meanwhile. A busy machine may hold up the
    # others until the slow one is over, so the next is slower. A worker that waited for it would do so each time.
    for seconds in (1, 2, 4, 8, 16, 32):
        slow, quick, wrong = f"slow{seconds}", f"quick{seconds}", f"wrong{seconds}"
        tasks.run_submission.delay(slow, "python", f"import time; time.sleep({seconds}); print('slow')")
        tasks.run_submission.delay(quick, "python", "print(input())", "hi\n")
        tasks.run_submission.delay(wrong, "cobol", "")
        assert ended(tasks, wrong)[1] == "refused"
        execution, verdict, output = ended(tasks, quick)
        assert (verdict, output) == ("ok", "hi\n")
        meanwhile = tasks.records.get(slow)[1] is None
        assert ended(tasks, slow)[1:] == ("ok", "slow\n")
        if meanwhile:
            break
    assert meanwhile
    # Delivered again: nothing new is begun.
    tasks.run_submission.delay(quick, "python", "print(input())", "hi\n")
    tasks.run_submission.delay("last", "python", "print('last')")
    ended(tasks, "last")
    assert tasks.records.get(quick) == (execution, "ok", "hi\n")
