"""When a call is made again: only where that cannot run a program twice."""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx

from engined_client import errors
from engined_client.errors import BusyError, ConnectFailed, TransportError

BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before anything was sent."""


@dataclass(frozen=True)
class Retry:
    """How long and how often. `Client(retry=None)` switches it off.

    A call that runs a program is made again only when the engine certainly did not begin it: no connection could be
    made, or it answered 429 or 503 with Retry-After. A call that only asks or cancels is made again after a broken
    connection as well. Nothing is made again after a time-out.
    """

    max_wait: float = 10.0
    """The most that one call waits between its attempts, in seconds, all pauses together."""
    attempts: int = 8
    """The most attempts of one call."""
    first_pause: float = 0.1
    """The pause after the first attempt, in seconds, doubled each time; a random part of it is left out."""
    longest_pause: float = 2.0
    """The longest pause, in seconds. `Retry-After` is kept beside it, never undercut."""

    def pause(self, attempt: int, waited: float, retry_after: float | None) -> float | None:
        """Give the pause after the attempt of this number, counted from 1; None for no further attempt."""
        if attempt >= self.attempts:
            return None
        backoff = min(self.longest_pause, self.first_pause * 2 ** min(attempt - 1, 30))
        # Callers who were refused together must not come back together.
        pause = (retry_after or 0.0) + backoff * random.uniform(0.5, 1.0)
        return pause if waited + pause <= self.max_wait else None


def may_repeat(error: errors.EnginedError, *, safe: bool) -> bool:
    """Tell whether a call that failed so may be made again. `safe`: it runs nothing."""
    if isinstance(error, BusyError):
        # Of a code that we do not know we cannot say that nothing was begun.
        known = error.code in errors.BY_CODE
        return error.retry_after is not None and (safe or known)
    if isinstance(error, ConnectFailed):
        return True
    return safe and type(error) is TransportError


def transport_error(cause: httpx.HTTPError, where: str, seconds: float | None) -> TransportError:
    """Give our exception for one of httpx."""
    words = str(cause) or type(cause).__name__
    if isinstance(cause, BEFORE_SENDING):
        return ConnectFailed(f"no connection to {where}: {words}. Is the engine running, and may this user connect?")
    if isinstance(cause, httpx.TimeoutException):
        return errors.TimedOut(f"{where} did not answer within {seconds} s; give a longer timeout or lower limits")
    return TransportError(f"the connection to {where} broke: {words}")
