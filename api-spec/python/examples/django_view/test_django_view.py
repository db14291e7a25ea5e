"""The view, with Django's test client and a real engine."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Iterator
from typing import Any

import fake
import pytest
from django.test import Client as Browser

from engined_client import Client, Limits


@pytest.fixture
def app(environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The application, with the engine that the tests have."""
    app = importlib.import_module("examples.django_view.app")
    # Others may have the machine for a while: no program here is to end for that.
    monkeypatch.setattr(app, "LIMITS", dataclasses.replace(app.LIMITS, wall_time_ms=60_000))
    with Client(retry=None) as app.engine:  # type: ignore[attr-defined]
        yield app


@pytest.fixture
def browser(app: Any) -> Browser:
    return Browser(enforce_csrf_checks=True)


def post(browser: Browser, body: object, **headers: str) -> Any:
    browser.get("/")
    token = browser.cookies["csrftoken"].value
    return browser.post("/run", json.dumps(body), "application/json", headers={"X-CSRFToken": token, **headers})


def test_json(browser: Browser) -> None:
    answer = post(browser, {"language": "python", "source": "print(int(input()) * 2)", "stdin": "21\n"})
    assert answer.status_code == 200
    shown = answer.json()
    assert shown.pop("cpu_ms") >= 0
    assert shown == {
        "verdict": "ok",
        "message": "",
        "stdout": "42\n",
        "stderr": "",
        "truncated": False,
        "compiler": "",
    }


def test_form(browser: Browser) -> None:
    page = browser.get("/")
    token = page.content.decode().partition('csrfmiddlewaretoken" value="')[2].partition('"')[0]
    fields = {"csrfmiddlewaretoken": token, "language": "c", "stdin": "", "source": "int main(void) { return x; }"}
    shown = browser.post("/run", fields).json()
    assert shown["verdict"] == "compile_error"
    assert "undeclared" in shown["compiler"]
    fields["csrfmiddlewaretoken"] = "wrong"
    assert browser.post("/run", fields).status_code == 403


def test_a_failing_program_is_no_error(app: Any, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine the CPU time must be over long before the wall time is.
    monkeypatch.setattr(app, "LIMITS", Limits(cpu_time_ms=100, wall_time_ms=60_000))
    shown = post(browser, {"language": "python", "source": "while True: pass"}).json()
    assert shown["verdict"] == "cpu_time_limit"
    assert shown["message"]


@pytest.mark.parametrize("body", [{}, [], "x", {"language": "python"}, {"language": "python", "source": 5}])
def test_what_is_no_program(browser: Browser, body: object) -> None:
    answer = post(browser, body)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"language": "cobol", "source": ""}, "unknown_language", "/language"),
        ({"language": "python", "source": "print('\ud800')"}, "malformed_json", None),
    ],
)
def test_what_the_engine_refuses(browser: Browser, body: object, code: str, field: str | None) -> None:
    answer = post(browser, body)
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["field"]) == (code, field)


def test_no_room(app: Any, browser: Browser) -> None:
    with fake.Fake(fake.problem("queue_full", 503, "7")).client() as app.engine:
        answer = post(browser, {"language": "python", "source": ""})
    assert (answer.status_code, answer["Retry-After"]) == (503, "7")


@pytest.mark.parametrize("code", ["unauthenticated", "forbidden", "internal"])
def test_what_is_our_fault(app: Any, browser: Browser, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    statuses = {"unauthenticated": 401, "forbidden": 403, "internal": 500}
    with fake.Fake(fake.problem(code, statuses[code])).client() as app.engine:
        answer = post(browser, {"language": "python", "source": ""})
    assert (answer.status_code, answer.json()["error"]) == (502, "unavailable")
    # The reason is for us, not for the person.
    assert "what and why" not in answer.content.decode()
    assert "what and why" in capsys.readouterr().err


def test_no_engine(app: Any, browser: Browser) -> None:
    with Client("http://127.0.0.1:1", retry=None) as app.engine:
        assert post(browser, {"language": "python", "source": ""}).status_code == 502
