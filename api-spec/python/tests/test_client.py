"""What the synchronous client asks for, and how it connects."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import fake
import httpx
import pytest

from engined_client import (
    Client,
    Execution,
    ExecutionResult,
    ExecutionStatus,
    Limits,
    NotFinished,
    Retry,
    errors,
)
from engined_client._connect import Address

NO_LIMITS = dict.fromkeys(
    [
        *("cpu_time_ms", "wall_time_ms", "memory_bytes", "processes", "output_bytes"),
        *("file_bytes", "disk_bytes", "open_files", "stack_bytes"),
    ],
    1,
)


def test_run() -> None:
    engine = fake.Fake(fake.answer(fake.result()))
    with engine.client(token="secret") as client:
        result = client.run("python", "print('é')", stdin="x", request_id="r-1", traceparent="00-ab-cd-01", timeout=7.5)
    assert result.stdout == "hello\n"
    assert engine.calls == ["POST /v1/executions"]
    assert engine.bodies == [{"language": "python", "source": "print('é')", "stdin": "x"}]
    request = engine.asked[0]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["x-request-id"] == "r-1"
    assert request.headers["traceparent"] == "00-ab-cd-01"
    assert "application/problem+json" in request.headers["accept"]
    assert request.extensions["timeout"] == {"connect": 5.0, "read": 7.5, "write": 30.0, "pool": 5.0}


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 120 + 15 + 60 + 30),
        ({"limits": Limits(wall_time_ms=2000)}, 120 + 2 + 60 + 30),
        ({"limits": {"wall_time_ms": 600_000}, "compile_limits": Limits(wall_time_ms=1000)}, 120 + 600 + 1 + 30),
        # The engine refuses it; until then it must not be an error of ours.
        ({"limits": {"wall_time_ms": "a while"}}, 120 + 15 + 60 + 30),
        ({"timeout": 1}, 1),
    ],
)
def test_the_answer_is_waited_for_as_long_as_it_may_take(options: dict[str, Any], seconds: float) -> None:
    engine = fake.Fake(fake.answer(fake.result()))
    engine.client(connect_timeout=2.0).run("c", "int main;", **options)
    timeout = engine.asked[0].extensions["timeout"]
    assert timeout["read"] == seconds
    assert timeout["connect"] == 2.0


def test_words_that_no_header_can_hold_are_left_out() -> None:
    engine = fake.Fake(*[fake.answer({"engine": "1", "api": "v1"})] * 3)
    for odd in ("a\r\nX-Evil: 1", "é", "\x00"):
        engine.client().version(request_id=odd, traceparent=odd)
    for request in engine.asked:
        assert "x-request-id" not in request.headers
        assert "traceparent" not in request.headers


def test_a_wrong_name_is_told() -> None:
    with pytest.raises(TypeError, match="'cpu_ms'"):
        fake.Fake().client().run("python", "", cpu_ms=5)  # type: ignore[call-arg]


def test_a_lone_surrogate_is_left_to_the_engine() -> None:
    engine = fake.Fake(fake.problem("malformed_json", 400))
    with pytest.raises(errors.MalformedJson):
        engine.client().run("python", "print('\ud800')")
    assert rb"\ud800" in engine.asked[0].content


def test_submit_and_wait() -> None:
    engine = fake.Fake(
        fake.answer(fake.queued(3), 202),
        fake.answer(fake.running()),
        fake.answer(fake.running()),
        fake.answer(fake.result()),
    )
    with engine.client() as client:
        execution = client.submit("python", "print()", priority="batch")
        assert (execution.id, execution.state) == (fake.ID, ExecutionStatus(fake.ID, "queued", 3, None))
        state = execution.status()
        assert isinstance(state, ExecutionStatus)
        assert not state.finished
        assert (state.status, state.stage) == ("running", "run")
        result = execution.wait()
    assert result.ok
    assert execution.state is result
    assert repr(execution) == f"Execution('{fake.ID}', finished)"
    path = f"/v1/executions/{fake.ID}"
    long_poll = f"GET {path}?wait_ms=30000"
    assert engine.calls == ["POST /v1/executions?wait=false", f"GET {path}", long_poll, long_poll]
    # A long poll is waited for beyond its time; the other calls answer at once.
    assert [request.extensions["timeout"]["read"] for request in engine.asked] == [30.0, 30.0, 60.0, 60.0]


def test_wait_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def poll(request: httpx.Request) -> httpx.Response:
        clock[0] += int(request.url.params.get("wait_ms", "0")) / 1000
        return fake.answer(fake.queued())

    engine = fake.Fake(poll, poll, poll)
    with pytest.raises(NotFinished, match="is still queued after 70 s") as caught:
        engine.client().execution(fake.ID).wait(timeout=70)
    assert [request.url.params["wait_ms"] for request in engine.asked] == ["30000", "30000", "10000"]
    assert (caught.value.id, caught.value.status) == (fake.ID, "queued")
    engine = fake.Fake(poll)
    with pytest.raises(NotFinished):
        engine.client().execution(fake.ID).wait(timeout=0)
    assert "wait_ms" not in engine.asked[0].url.params


def test_a_long_poll_that_returns_at_once_is_no_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    engine = fake.Fake(*[fake.answer(fake.running())] * 5, fake.answer(fake.result()))
    engine.client().execution(fake.ID).wait()
    assert pauses == [0.1] * 5


def test_wait_outlives_a_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    engine = fake.Fake(
        httpx.RemoteProtocolError("hung up"), fake.problem("not_ready", 503, "1"), fake.answer(fake.result())
    )
    assert engine.client(Retry()).execution(fake.ID).wait().ok


def test_cancel() -> None:
    engine = fake.Fake(fake.answer(fake.running(), 202), fake.answer(fake.result(verdict="cancelled")))
    execution = engine.client().execution(fake.ID)
    assert isinstance(execution.cancel(), ExecutionStatus)
    result = execution.cancel()
    assert isinstance(result, ExecutionResult)
    assert result.verdict == "cancelled"
    assert engine.calls == [f"DELETE /v1/executions/{fake.ID}"] * 2


@pytest.mark.parametrize("id", ["", "..", "a/b", "a?b", "é"])
def test_an_id_is_never_a_path(id: str) -> None:
    client = fake.Fake().client()
    for use in (client.get, client.cancel, client.execution):
        with pytest.raises(ValueError, match="is no execution's id"):
            use(id)


def test_validate() -> None:
    limits = {**NO_LIMITS, "cpus": 1.0}
    language = {"id": "python", "version": "3.11.2"}
    engine = fake.Fake(
        fake.answer({"valid": True, "language": language, "limits": limits, "compile_limits": None}),
        fake.problem("unknown_language", 422),
    )
    client = engine.client()
    validation = client.validate("python", "1", labels={"a": "b"})
    assert validation.valid
    assert validation.language.version == "3.11.2"
    assert validation.limits.cpus == 1.0
    assert validation.compile_limits is None
    with pytest.raises(errors.UnknownLanguage):
        client.validate("cobol", "1")
    assert engine.calls == ["POST /v1/executions?validate=true"] * 2


def test_health_is_a_yes_or_no() -> None:
    yes = fake.Fake(
        fake.answer({"status": "ok"}), fake.answer({"status": "ready", "missing_layers": [], "degraded": []})
    )
    client = yes.client()
    assert client.healthy()
    assert client.ready()
    assert yes.calls == ["GET /healthz", "GET /readyz"]
    for no in (
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        fake.problem("not_ready", 503, "1"),
        fake.problem("draining", 503, "5"),
    ):
        # Asked once, whatever the retries.
        engine = fake.Fake(no, no)
        client = engine.client(Retry())
        assert not client.healthy()
        assert not client.ready()
        assert len(engine.asked) == 2
    with pytest.raises(errors.UnexpectedAnswer):
        fake.Fake(fake.answer({"status": "fine"})).client().healthy()
    with pytest.raises(errors.Forbidden):
        fake.Fake(fake.problem("forbidden", 403)).client().ready()


@pytest.mark.parametrize(
    ("url", "base", "path"),
    [
        ("http://127.0.0.1:7070", "http://127.0.0.1:7070", None),
        ("http://engine/", "http://engine", None),
        ("https://proxy/engined/", "https://proxy/engined", None),
        ("http://[::1]:7070", "http://[::1]:7070", None),
        ("unix:/run/engined-api/engined.sock", "http://localhost", "/run/engined-api/engined.sock"),
        ("unix:///run/e.sock", "http://localhost", "/run/e.sock"),
    ],
)
def test_addresses(url: str, base: str, path: str | None) -> None:
    address = Address.find(url, "")
    assert (address.base, address.socket, address.token) == (base, path, None)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:7070", "localhost", "ftp://a", "http://", "unix:", "unix:rel.sock", "http://a?b", "http://u:p@a"]
)
def test_no_addresses(url: str) -> None:
    with pytest.raises(ValueError, match="ENGINED_URL") as caught:
        Client(url)
    assert "u:p" not in str(caught.value)


def test_the_environment_has_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENGINED_URL", raising=False)
    monkeypatch.delenv("ENGINED_TOKEN", raising=False)
    assert Address.find(None, None) == Address("http://127.0.0.1:7070", None, None)
    monkeypatch.setenv("ENGINED_URL", "unix:/run/e.sock")
    monkeypatch.setenv("ENGINED_TOKEN", "secret\n")
    assert Address.find(None, None) == Address("http://localhost", "/run/e.sock", "secret")
    assert Address.find("http://other", "") == Address("http://other", None, None)


def test_the_token_is_not_shown() -> None:
    client = Client("http://engine", "secret")
    assert repr(client) == "Client('http://engine')"
    assert "secret" not in repr(client._address)
    assert repr(Client("unix:/run/e.sock")) == "Client('unix:/run/e.sock')"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_once, args=(listener,))
        thread.start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}", retry=None) as client:
            assert client.version().engine == "9"
        thread.join()


def _answer_once(listener: socket.socket) -> None:
    body = b'{"engine": "9", "api": "v1"}'
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", f"unix:{tmp_path}/none.sock"):
        with Client(url, retry=None) as client:
            with pytest.raises(errors.ConnectFailed, match="Is the engine running"):
                client.run("python", "")
            assert not client.healthy()


def test_a_server_that_is_silent_is_timed_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Client(f"http://127.0.0.1:{port}") as client, pytest.raises(errors.TimedOut, match=r"within 0\.2 s"):
            client.run("python", "", timeout=0.2)


def test_a_closed_client_says_so() -> None:
    client = fake.Fake().client()
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match=r"Client\('http://fake'\) is closed"):
        client.version()


def test_tls_is_verified_and_only_where_there_is_any() -> None:
    def mode(url: str, context: ssl.SSLContext | None = None) -> ssl.VerifyMode:
        transport = Address.find(url, "").transport(context)
        return transport._pool._ssl_context.verify_mode  # type: ignore[union-attr]

    assert mode("https://engine") == ssl.CERT_REQUIRED
    assert mode("http://engine") == ssl.CERT_NONE
    own = ssl.create_default_context()
    assert Address.find("https://engine", "").transport(own)._pool._ssl_context is own


def test_execution_is_a_handle_for_another_process() -> None:
    execution = fake.Fake().client().execution(fake.ID)
    assert isinstance(execution, Execution)
    assert repr(execution) == f"Execution('{fake.ID}', not asked yet)"


def test_a_child_makes_connections_of_its_own() -> None:
    accepted = threading.Semaphore(0)

    def serve(listener: socket.socket) -> None:
        # The parent's connection is dropped when it was idle for too long beside the child: then there is another.
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                accepted.release()
                threading.Thread(target=_keep_answering, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}", retry=None) as client:
            assert client.version().engine == "9"
            child = os.fork()
            if child == 0:
                # No way out of here may run the test runner's own end.
                try:
                    os._exit(0 if client.version().engine == "9" else 1)
                finally:
                    os._exit(2)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert client.version().engine == "9"
        # Ends the thread that accepts.
        listener.shutdown(socket.SHUT_RDWR)
    assert accepted.acquire(timeout=150)
    assert accepted.acquire(timeout=150)


def _keep_answering(connection: socket.socket) -> None:
    body = b'{"engine": "9", "api": "v1"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with connection:
        while connection.recv(65536):
            connection.sendall(head.encode() + body)
