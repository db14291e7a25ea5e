"""What the tests need: the engine to talk to, and a closing line that `cargo xtask test` counts.

`cargo xtask test` sets these; by hand, start `engined up` and set the first:

    ENGINED_TEST_URL          an engine on TCP
    ENGINED_TEST_TOKEN        its token, unless it is the development mode's
    ENGINED_TEST_SMALL_TOKEN  the token of a tenant that may run one program and have one waiting
    ENGINED_TEST_UNIX         its Unix socket; without it a relay to the TCP address stands in
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from engined_client import Client


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what `cargo xtask` counts. A skipped test is a failure where skipping is forbidden."""
    stats = terminalreporter.stats
    bad = [*stats.get("failed", []), *stats.get("error", [])]
    if os.environ.get("ENGINED_FORBID_SKIP") == "1":
        bad += stats.get("skipped", [])
    for report in bad:
        terminalreporter.write_line(f"FAIL {report.nodeid}")
    terminalreporter.write_line(f"{len(stats.get('passed', []))} passed, {len(bad)} failed")


def setting(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"SKIPPED: {name} is not set; `cargo xtask test` sets it, conftest.py says what it is")
    return value


@pytest.fixture(scope="session")
def url() -> str:
    """An engine on TCP."""
    return setting("ENGINED_TEST_URL")


@pytest.fixture(scope="session")
def token() -> str:
    """Its token; empty in the development mode."""
    return os.environ.get("ENGINED_TEST_TOKEN", "")


@pytest.fixture
def small_token() -> str:
    """The token of a tenant that may run one program and have one waiting."""
    return setting("ENGINED_TEST_SMALL_TOKEN")


@pytest.fixture(scope="session")
def client(url: str, token: str) -> Iterator[Client]:
    """A client of the engine on TCP."""
    with Client(url, token) as client:
        yield client


@pytest.fixture
def environment(url: str, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine, as a deployment names it."""
    monkeypatch.setenv("ENGINED_URL", url)
    monkeypatch.setenv("ENGINED_TOKEN", token)


@pytest.fixture(scope="session")
def unix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of a Unix socket that leads to the engine."""
    path = os.environ.get("ENGINED_TEST_UNIX")
    if path:
        yield path
        return
    host, _, port = setting("ENGINED_TEST_URL").removeprefix("http://").partition(":")
    path = str(tmp_path_factory.mktemp("unix") / "engined.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=_relay, args=(listener, (host, int(port))), daemon=True).start()
        yield path
        listener.shutdown(socket.SHUT_RDWR)


def _relay(listener: socket.socket, target: tuple[str, int]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_carry, args=(connection, target), daemon=True).start()


def _carry(ours: socket.socket, target: tuple[str, int]) -> None:
    with ours, socket.create_connection(target) as theirs:
        back = threading.Thread(target=_pump, args=(theirs, ours), daemon=True)
        back.start()
        _pump(ours, theirs)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    # Either end may be gone already.
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
