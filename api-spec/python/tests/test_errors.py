"""Exceptions."""

from __future__ import annotations

import pickle

import fake
import httpx
import pytest

import engined_client
from engined_client import errors


@pytest.mark.parametrize("code", sorted(errors.BY_CODE))
def test_each_code_has_its_exception(code: str) -> None:
    status = 422
    engine = fake.Fake(fake.problem(code, status, "7", field="/limits", remedy="Do it."))
    with engine.client() as client, pytest.raises(errors.ProblemError) as caught:
        client.run("python", "")
    error = caught.value
    assert type(error) is errors.BY_CODE[code]
    assert (error.code, error.status, error.title, error.detail) == (code, 422, "A title.", "what and why")
    assert (error.remedy, error.field, error.request_id, error.retry_after) == ("Do it.", "/limits", "req-1", 7.0)
    assert str(error) == f"{code}: what and why. Do it. (status 422, request req-1)"


@pytest.mark.parametrize(
    ("status", "group"),
    [
        (418, errors.CallerError),
        (429, errors.BusyError),
        (503, errors.BusyError),
        (507, errors.ServerError),
    ],
)
def test_an_unknown_code_has_its_group(status: int, group: type[errors.ProblemError]) -> None:
    assert type(errors.problem(code="new", status=status)) is group


@pytest.mark.parametrize(
    "error",
    [
        errors.problem(code="queue_full", status=503, detail="full", retry_after=2.0, request_id="r"),
        errors.problem(code="new", status=400, field="/a"),
        errors.ConnectFailed("no connection"),
        errors.TimedOut("too late"),
        errors.UnexpectedAnswer("odd", 502),
        errors.NotFinished("still there", fake.ID, "queued"),
    ],
)
def test_exceptions_can_be_pickled(error: errors.EnginedError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_every_exception_can_be_had_from_the_package() -> None:
    for kind in errors.BY_CODE.values():
        assert getattr(engined_client, kind.__name__) is kind
    everything = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    assert {kind.__name__ for kind in everything if issubclass(kind, Exception)} == set(errors.__all__)
    assert set(engined_client.__all__) <= set(vars(engined_client))


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(502, html="<h1>Bad Gateway</h1>"),
        httpx.Response(503, html="<h1>nobody there</h1>", headers={"Retry-After": "1"}),
        httpx.Response(200, html="<h1>Welcome</h1>"),
        httpx.Response(200, json={"hello": "world"}),
        httpx.Response(200, json=[]),
        httpx.Response(200, content=b"{", headers={"Content-Type": "application/json"}),
        httpx.Response(302, headers={"Location": "https://elsewhere/"}),
        httpx.Response(400, json={"code": "x"}),
        httpx.Response(503, content=b"[]", headers={"Content-Type": "application/problem+json", "Retry-After": "1"}),
    ],
)
def test_answers_of_others_are_told(response: httpx.Response) -> None:
    # With retries: what no engine said proves nothing about the program, so the call is made once.
    engine = fake.Fake(response)
    with engine.client(engined_client.Retry()) as client, pytest.raises(errors.UnexpectedAnswer) as caught:
        client.run("python", "")
    assert caught.value.status == response.status_code
    assert str(caught.value).startswith(f"POST /v1/executions was answered with status {response.status_code}")
    assert len(engine.asked) == 1


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (httpx.ConnectError("refused"), errors.ConnectFailed),
        (httpx.ConnectTimeout("slow"), errors.ConnectFailed),
        (httpx.PoolTimeout("busy"), errors.ConnectFailed),
        (httpx.ReadTimeout("slow"), errors.TimedOut),
        (httpx.WriteTimeout("slow"), errors.TimedOut),
        (httpx.ReadError("reset"), errors.TransportError),
        (httpx.RemoteProtocolError("hung up"), errors.TransportError),
    ],
)
def test_failures_of_the_connection(cause: httpx.HTTPError, kind: type[errors.TransportError]) -> None:
    with fake.Fake(cause).client() as client, pytest.raises(errors.TransportError) as caught:
        client.run("python", "")
    assert type(caught.value) is kind
    assert caught.value.__cause__ is cause
    assert "http://fake" in str(caught.value)
    assert isinstance(caught.value, TimeoutError) == (kind is errors.TimedOut)
