"""A Celery task that runs a submission and records how it ended, once, however often the broker delivers it.

    ENGINED_URL=unix:/run/engined-api/engined.sock celery -A tasks worker

No worker waits long: a task that is not finished after a while is put back with the execution's id and goes on later,
in any worker. The id is also kept beside the submission, so that a task which is delivered twice, or whose worker was
killed, finds the execution that it began instead of beginning another.
"""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from typing import Any

from celery import Celery

from engined_client import (
    BusyError,
    CallerError,
    Client,
    ConnectFailed,
    Forbidden,
    Limits,
    NotFinished,
    NotFound,
    ResultExpired,
    Unauthenticated,
    Verdict,
)

app = Celery("grading", broker=os.environ.get("CELERY_BROKER_URL", "memory://"))
# Delivered again when a worker is lost: the task below may run twice.
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)

# One for the process: the pool's workers connect for themselves. What there is no room for goes back to the broker,
# which has more patience than a worker.
engine = Client(retry=None)
LIMITS = Limits(cpu_time_ms=2000, wall_time_ms=10_000)
PATIENCE_SECONDS = 10.0
"""How long a worker waits for one execution before it turns to other work."""


class Records:
    """What is known of each submission; stands for a table of yours."""

    def __init__(self, path: str) -> None:
        self.path = path

    def _do(self, statement: str, *values: str | None) -> list[tuple[str | None, ...]]:
        table = "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, execution TEXT, verdict TEXT, output TEXT)"
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=10)) as database:
            database.execute(table)
            return database.execute(statement, values).fetchall()

    def get(self, submission: str) -> tuple[str | None, ...]:
        """Give its execution, verdict and output, as far as there are any."""
        rows = self._do("SELECT execution, verdict, output FROM runs WHERE id = ?", submission)
        return rows[0] if rows else (None, None, None)

    def begun(self, submission: str, execution: str | None) -> None:
        """Note which execution is under way; None forgets it."""
        self._do("INSERT OR IGNORE INTO runs (id) VALUES (?)", submission)
        self._do("UPDATE runs SET execution = ? WHERE id = ? AND verdict IS NULL", execution, submission)

    def finished(self, submission: str, verdict: str, output: str) -> None:
        """Record how it ended. The first record stays."""
        self._do("INSERT OR IGNORE INTO runs (id) VALUES (?)", submission)
        change = "UPDATE runs SET verdict = ?, output = ? WHERE id = ? AND verdict IS NULL"
        self._do(change, verdict, output, submission)


records = Records(os.environ.get("RECORDS", "runs.sqlite3"))


@app.task(bind=True, max_retries=500, ignore_result=True)
def run_submission(self: Any, submission: str, language: str, source: str, stdin: str = "") -> None:
    """Run a submission and record its verdict."""
    execution, verdict, _ = records.get(submission)
    if verdict is not None:
        return
    try:
        if execution is not None:
            handle = engine.execution(execution)
        else:
            handle = engine.submit(language, source, stdin=stdin, limits=LIMITS, labels={"submission": submission})
            records.begun(submission, handle.id)
        result = handle.wait(timeout=PATIENCE_SECONDS)
    except NotFinished:
        raise self.retry(countdown=0) from None
    except (NotFound, ResultExpired):
        # The engine was started anew, or we came too late. A program has no effect but its result: begin again.
        records.begun(submission, None)
        raise self.retry(countdown=0) from None
    except (BusyError, ConnectFailed) as error:
        # Nothing was begun.
        raise self.retry(exc=error, countdown=pause(self, error)) from error
    except (Unauthenticated, Forbidden):
        # Our set-up is wrong: the task fails, and somebody looks.
        raise
    except CallerError as error:
        # The submission is wrong, and would be every time.
        records.finished(submission, "refused", error.detail)
        return
    if result.verdict == Verdict.ENGINE_ERROR or (result.reason and result.reason.hint == "queue_wait"):
        # It was not the program: the engine failed, or had no slot for it in time.
        records.begun(submission, None)
        raise self.retry(countdown=pause(self))
    records.finished(submission, result.verdict, result.stdout)


def pause(task: Any, error: Exception | None = None) -> float:
    """Give the seconds until the next attempt. All the others come back as well, so not all at the same time."""
    told = getattr(error, "retry_after", None)
    return float(told or 2 ** min(task.request.retries, 6)) * random.uniform(1.0, 1.5)
