"""Exceptions: one class for each problem code of the contract, in groups by who has to act.

A program's failure is never an exception: it is an answer with a verdict.

    EnginedError
      ProblemError         the engine said no, with code, detail and remedy
        CallerError        4xx: the request is wrong; sending it again changes nothing
        BusyError          429, 503: no room now; nothing was begun; retry_after says when
        ServerError        other 5xx: the engine failed
      TransportError       no answer of an engine came
        ConnectFailed      it was never reached, so nothing was begun
        TimedOut           it did not answer in time; the program may have run
        UnexpectedAnswer   somebody answered, and not by the contract
      NotFinished          wait(timeout=...) is over and the execution is not
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BodyTooLarge",
    "BusyError",
    "CallerError",
    "ConnectFailed",
    "Draining",
    "EnginedError",
    "FlagNotAllowed",
    "Forbidden",
    "HeadersTooLarge",
    "IdempotencyConflict",
    "InternalError",
    "InvalidBase64",
    "InvalidPath",
    "InvalidRequest",
    "LimitAboveCeiling",
    "LimitTooLow",
    "MalformedJson",
    "MemoryBudget",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFinished",
    "NotFound",
    "NotReady",
    "ProblemError",
    "QueueFull",
    "QuotaExceeded",
    "RateLimited",
    "RequestTimeout",
    "ResultExpired",
    "ServerError",
    "SourceTooLarge",
    "StoreFull",
    "TimedOut",
    "TooManyFiles",
    "TransportError",
    "Unauthenticated",
    "UnexpectedAnswer",
    "UnknownBlob",
    "UnknownLanguage",
    "UnknownVersion",
    "UnsupportedMediaType",
]


class EnginedError(Exception):
    """Every exception of this package. Each can be pickled, so that Celery can carry it."""


class ProblemError(EnginedError):
    """The engine refused, and said why (RFC 9457)."""

    of_code: ClassVar[str | None] = None

    def __init__(
        self,
        *,
        code: str,
        status: int,
        title: str = "",
        detail: str = "",
        remedy: str = "",
        field: str | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.code = code
        """Which problem, a word of the closed list."""
        self.status = status
        """The HTTP status."""
        self.title = title
        """One sentence, the same for every problem of this code."""
        self.detail = detail
        """What happened this time, with the value and the bound."""
        self.remedy = remedy
        """What to do about it."""
        self.field = field
        """JSON pointer to the mistake in the request, where there is one."""
        self.request_id = request_id
        """What the engine's operator finds this request by."""
        self.retry_after = retry_after
        """Seconds to wait before the next attempt, where the engine said so."""
        words = " ".join(part.rstrip(".") + "." for part in (detail or title, remedy) if part)
        super().__init__(f"{code}: {words} (status {status}, request {request_id or 'without id'})")

    def __init_subclass__(cls, code: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if code is not None:
            cls.of_code = code
            BY_CODE[code] = cls

    def __reduce__(self) -> tuple[Any, ...]:
        return (_revive, (type(self), dict(self.__dict__)))


def _revive(kind: type[ProblemError], fields: dict[str, Any]) -> ProblemError:
    return kind(**fields)


BY_CODE: dict[str, type[ProblemError]] = {}
"""The class for each code of the closed list."""


class CallerError(ProblemError):
    """4xx but 429: the request is wrong, or may not be made. Sending it again changes nothing."""


class BusyError(ProblemError):
    """429 and 503: there is no room now. Nothing was begun; try again after `retry_after` seconds."""


class ServerError(ProblemError):
    """5xx but 503: the engine failed. It may have begun to run the program."""


class MalformedJson(CallerError, code="malformed_json"):
    """The body is not valid JSON."""


class InvalidRequest(CallerError, code="invalid_request"):
    """The request does not fit the contract."""


class InvalidPath(CallerError, code="invalid_path"):
    """A file's path is not allowed."""


class InvalidBase64(CallerError, code="invalid_base64"):
    """A {base64} value is not base64."""


class Unauthenticated(CallerError, code="unauthenticated"):
    """The caller is not known: the token is missing or wrong, or the user is not allowed on the Unix socket."""


class Forbidden(CallerError, code="forbidden"):
    """The caller may not do this."""


class NotFound(CallerError, code="not_found"):
    """There is nothing at this address; an id is known only to the tenant that made it."""


class ResultExpired(CallerError, code="result_expired"):
    """The result is no longer kept."""


class MethodNotAllowed(CallerError, code="method_not_allowed"):
    """This address does not answer to that method."""


class NotAcceptable(CallerError, code="not_acceptable"):
    """The answer is not available in an accepted type."""


class RequestTimeout(CallerError, code="request_timeout"):
    """The request was not sent in time."""


class IdempotencyConflict(CallerError, code="idempotency_conflict"):
    """The idempotency key was used for another request."""


class BodyTooLarge(CallerError, code="body_too_large"):
    """The body is too large."""


class SourceTooLarge(CallerError, code="source_too_large"):
    """A source file is too large."""


class TooManyFiles(CallerError, code="too_many_files"):
    """There are too many files."""


class UnsupportedMediaType(CallerError, code="unsupported_media_type"):
    """The body is not of a type that is understood here."""


class UnknownLanguage(CallerError, code="unknown_language"):
    """The language is not available."""


class UnknownVersion(CallerError, code="unknown_version"):
    """No installed version matches."""


class LimitTooLow(CallerError, code="limit_too_low"):
    """A limit is too low."""


class LimitAboveCeiling(CallerError, code="limit_above_ceiling"):
    """A limit is above the ceiling."""


class FlagNotAllowed(CallerError, code="flag_not_allowed"):
    """A compiler flag is not allowed."""


class UnknownBlob(CallerError, code="unknown_blob"):
    """A blob is not known."""


class HeadersTooLarge(CallerError, code="headers_too_large"):
    """There are too many headers, or they are too large."""


class RateLimited(BusyError, code="rate_limited"):
    """The caller sends too many requests."""


class QuotaExceeded(BusyError, code="quota_exceeded"):
    """The caller's share is used up."""


class QueueFull(BusyError, code="queue_full"):
    """The queue is full."""


class Draining(BusyError, code="draining"):
    """The engine is shutting down."""


class NotReady(BusyError, code="not_ready"):
    """The engine can't take work yet."""


class MemoryBudget(BusyError, code="memory_budget"):
    """The engine holds as many bytes as it may."""


class StoreFull(BusyError, code="store_full"):
    """The engine's store is full."""


class InternalError(ServerError, code="internal"):
    """The engine failed."""


def problem(
    *,
    code: str,
    status: int,
    title: str = "",
    detail: str = "",
    remedy: str = "",
    field: str | None = None,
    request_id: str = "",
    retry_after: float | None = None,
) -> ProblemError:
    """Make the exception for a code; for one that this version does not know, that of its group."""
    kind = BY_CODE.get(code)
    if kind is None:
        group = ServerError if status >= 500 else CallerError
        kind = BusyError if status in (429, 503) else group
    return kind(
        code=code,
        status=status,
        title=title,
        detail=detail,
        remedy=remedy,
        field=field,
        request_id=request_id,
        retry_after=retry_after,
    )


class TransportError(EnginedError):
    """No answer of an engine came. Unless it is a `ConnectFailed`, the program may have run."""


class ConnectFailed(TransportError):
    """No connection could be made, so nothing was begun."""


class TimedOut(TransportError, TimeoutError):
    """The engine was reached and did not answer in time. The connection is closed, which ends a `run`."""


class UnexpectedAnswer(TransportError):
    """Somebody answered, and not by the contract: most likely a proxy, or another service at this address."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (str(self), self.status))


class NotFinished(EnginedError, TimeoutError):
    """The time given to `wait` is over and the execution or batch goes on. Wait again, or cancel it."""

    def __init__(self, message: str, id: str, status: str) -> None:
        super().__init__(message)
        self.id = id
        """Which execution or batch."""
        self.status = status
        """How far it is: `queued` or `running`."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (str(self), self.id, self.status))
