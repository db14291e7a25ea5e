"""The client and a real engine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from engined_client import (
    AsyncClient,
    Client,
    ExecutionResult,
    ExecutionStatus,
    Limits,
    NotFinished,
    Retry,
    SourceFile,
    Verdict,
    errors,
)

SPIN = "while True: pass"
HELLO = "print('hello')"
# Longer than anybody waits for it.
SLEEP = "import time; time.sleep(600)"
LONG = Limits(wall_time_ms=600_000)
# Nothing that is waited for takes longer, however busy the machine is.
PATIENCE = 150.0


def test_a_run(client: Client) -> None:
    result = client.run("python", "print(input()[::-1])", stdin="dlrow olleh\n", labels={"exercise": "reverse"})
    assert result.ok
    assert result.stdout == "hello world\n"
    assert result.run is not None
    assert (result.run.exit_code, result.run.signal) == (0, None)
    assert result.run.stdout.bytes == 12
    assert result.run.usage.cpu_time_us > 0
    assert result.language.id == "python"
    assert result.labels == {"exercise": "reverse"}
    assert "seccomp" in result.isolation.layers
    assert result.timings.total_us >= result.timings.run_us


def test_everything_that_can_be_asked_for(client: Client) -> None:
    result = client.run(
        "c",
        files=[
            SourceFile("src/main.c", '#include "twice.h"\n#include <stdio.h>\n#include <stdlib.h>\n'
                       "int main(int n, char **v) { int x; if (scanf(\"%d\", &x) != 1) return 2;\n"
                       "printf(\"%d %s %s %d\\n\", twice(x), v[n - 1], getenv(\"MOOD\"), SIZE); }\n"),
            SourceFile("src/twice.h", b"static int twice(int n) { return 2 * n; }\n"),
        ],
        stdin=b"21\n",
        args=["--quiet"],
        env={"MOOD": "good"},
        compile_flags=["-DSIZE=7"],
        limits=Limits(cpu_time_ms=1000, wall_time_ms=60_000, memory_bytes=64 << 20, processes=8, cpus=0.5),
        compile_limits={"cpu_time_ms": 10_000},
        on_output_limit="kill",
        output_encoding="base64",
        priority="batch",
    )  # fmt: skip
    assert result.ok, (result.message, result.compile)
    assert result.compile is not None
    assert result.compile.exit_code == 0
    assert result.stdout == "42 --quiet good 7\n"
    assert result.raw["run"]["stdout"].keys() >= {"base64"}


def test_bytes_go_in_and_out(client: Client) -> None:
    every = bytes(range(256)) * 4
    echo = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.stderr.write('é')"
    result = client.run("python", echo.encode(), stdin=every)
    assert result.run is not None
    assert result.run.stdout.data == every
    assert result.run.stderr.text == result.stderr == "é"
    large = os.urandom(1 << 20)
    result = client.run("python", echo, stdin=large, limits={"output_bytes": 2 << 20})
    assert result.run is not None
    assert result.run.stdout.data == large


@pytest.mark.parametrize(
    ("source", "limits", "verdict"),
    [
        ("raise SystemExit(3)", None, Verdict.RUNTIME_ERROR),
        (SPIN, Limits(cpu_time_ms=200), Verdict.CPU_TIME_LIMIT),
        ("import time; time.sleep(60)", Limits(wall_time_ms=300), Verdict.WALL_TIME_LIMIT),
        ("x = bytearray(1 << 30)", Limits(memory_bytes=48 << 20), Verdict.MEMORY_LIMIT),
        ("import os; os.abort()", None, Verdict.SIGNALLED),
    ],
)
def test_a_failure_of_the_program_is_an_answer(
    client: Client, source: str, limits: Limits | None, verdict: Verdict
) -> None:
    result = client.run("python", source, limits=limits)
    assert result.verdict == verdict, result
    assert not result.ok
    assert result.message
    if verdict == Verdict.CPU_TIME_LIMIT:
        assert result.reason is not None
        assert (result.reason.limit, result.reason.value) == ("cpu_time_ms", 200)


def test_a_compile_error_is_an_answer(client: Client) -> None:
    result = client.run("c", "int main(void) { retrun 0; }")
    assert result.verdict == Verdict.COMPILE_ERROR
    assert result.run is None
    assert result.stdout == ""
    assert result.compile is not None
    assert "retrun" in result.compile.stderr.text


@pytest.mark.parametrize(
    ("options", "kind", "field"),
    [
        ({"language": "cobol", "source": ""}, errors.UnknownLanguage, "/language"),
        ({"language": "python", "source": "", "version": "2"}, errors.UnknownVersion, "/version"),
        ({"language": "python"}, errors.InvalidRequest, None),
        ({"language": "python", "files": {"../x": ""}}, errors.InvalidPath, "/files/0/path"),
        ({"language": "python", "source": "", "limits": {"cpu_time_ms": 0}}, errors.LimitTooLow, "/limits/cpu_time_ms"),
        (
            {"language": "python", "source": "", "limits": Limits(memory_bytes=1 << 50)},
            errors.LimitAboveCeiling,
            "/limits/memory_bytes",
        ),
        ({"language": "c", "source": "", "compile_flags": ["-wrong"]}, errors.FlagNotAllowed, "/compile_flags/0"),
        ({"language": "python", "source": "x" * (2 << 20)}, errors.SourceTooLarge, "/source"),
        ({"language": "python", "files": {f"{n}": "" for n in range(300)}}, errors.TooManyFiles, "/files"),
        ({"language": "python", "source": "print('\ud800')"}, errors.MalformedJson, None),
    ],
)
def test_a_mistake_of_the_caller_is_an_exception(
    client: Client, options: dict[str, object], kind: type[errors.ProblemError], field: str | None
) -> None:
    with pytest.raises(errors.CallerError) as caught:
        client.run(**options, request_id="req-7")  # type: ignore[arg-type]
    error = caught.value
    assert type(error) is kind
    assert error.request_id == "req-7"
    assert error.detail
    assert error.remedy
    if field is not None:
        assert error.field == field


def test_what_the_engine_says_of_itself(client: Client) -> None:
    assert client.healthy()
    assert client.ready()
    assert client.version().api == "v1"
    python = client.languages().get("py")
    assert python is not None
    assert python.id == "python"
    assert python.versions[0].run.limits.cpu_time_ms > 0
    assert client.languages().get("cobol") is None
    layers = {layer.layer: layer for layer in client.isolation().layers}
    assert layers["seccomp"].obtained


def test_the_unix_socket(unix: str) -> None:
    with Client(f"unix:{unix}", "") as client:
        assert client.run("python", HELLO).stdout == "hello\n"
        assert client.ready()


def test_the_environment(environment: None) -> None:
    with Client() as client:
        assert client.run("python", HELLO).ok


def test_who_is_not_known_is_told(url: str, small_token: str) -> None:
    # Where there is a second token, there is no development mode.
    for token in ("", "wrong"):
        with Client(url, token) as client:
            with pytest.raises(errors.Unauthenticated):
                client.run("python", HELLO)
            # These are open to everybody.
            assert client.healthy()
            assert client.ready()
    with Client(url, small_token + "\n") as client:
        assert client.run("python", HELLO).ok


def test_threads_share_a_client(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: client.run("python", f"print({n})"), range(24)))
    assert [result.stdout for result in results] == [f"{n}\n" for n in range(24)]


def test_a_run_that_is_given_up_is_ended(url: str, small_token: str) -> None:
    # Its tenant runs one at a time: the second would have to wait for what the first has left.
    with Client(url, small_token) as client:
        with pytest.raises(errors.TimedOut):
            client.run("python", SLEEP, limits=LONG, timeout=0.5)
        began = time.monotonic()
        assert client.run("python", HELLO).ok
        assert time.monotonic() - began < 100


def refused(client: Client) -> errors.BusyError | None:
    try:
        client.run("python", "import time; time.sleep(0.3)")
    except errors.BusyError as error:
        return error
    return None


@pytest.fixture
def crowded(url: str, small_token: str) -> Iterator[threading.Event]:
    """A tenant with one program running and one waiting, until the event is set."""
    go = threading.Event()

    def occupy() -> None:
        with Client(url, small_token, retry=None) as client:
            while not go.is_set():
                if refused(client):
                    go.wait(0.01)

    threads = [threading.Thread(target=occupy) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield go
    go.set()
    for thread in threads:
        thread.join()


def test_no_room_is_told_or_waited_for(url: str, small_token: str, crowded: threading.Event) -> None:
    deadline = time.monotonic() + PATIENCE
    with Client(url, small_token, retry=None) as client:
        while (error := refused(client)) is None:
            assert time.monotonic() < deadline
    assert type(error) is errors.QuotaExceeded
    assert error.status == 429
    assert error.retry_after
    threading.Timer(1.5, crowded.set).start()
    with Client(url, small_token, retry=Retry(max_wait=PATIENCE, attempts=1000)) as client:
        assert client.run("python", HELLO).ok


@pytest.mark.anyio
async def test_the_asynchronous_client(url: str, token: str, unix: str) -> None:
    for address, key in ((url, token), (f"unix:{unix}", "")):
        async with AsyncClient(address, key) as client:
            results: dict[int, ExecutionResult] = {}

            async def run(n: int, client: AsyncClient = client, results: dict[int, ExecutionResult] = results) -> None:
                results[n] = await client.run("python", f"print({n})")

            async with anyio.create_task_group() as group:
                for n in range(6):
                    group.start_soon(run, n)
            assert [results[n].stdout for n in range(6)] == [f"{n}\n" for n in range(6)]
            assert await client.ready()
            with pytest.raises(errors.UnknownLanguage):
                await client.run("cobol", "")


@pytest.mark.anyio
async def test_cancelling_ends_the_program(url: str, small_token: str) -> None:
    async with AsyncClient(url, small_token) as client:
        with anyio.move_on_after(0.5) as scope:
            await client.run("python", SLEEP, limits=LONG)
        assert scope.cancelled_caught
        began = time.monotonic()
        assert (await client.run("python", HELLO)).ok
        assert time.monotonic() - began < 100


def test_submit_wait_and_fetch_again(client: Client) -> None:
    sleeper = client.submit("python", SLEEP, limits=LONG)
    assert isinstance(sleeper.state, ExecutionStatus)
    assert sleeper.state.status in ("queued", "running")
    assert not client.get(sleeper.id).finished
    sleeper.cancel()
    execution = client.submit("python", "import time; time.sleep(0.5); print('done')", labels={"a": "b"})
    result = execution.wait(timeout=PATIENCE)
    assert result.ok
    assert result.id == execution.id
    assert result.stdout == "done\n"
    assert result.labels == {"a": "b"}
    # Another process goes on with the id alone.
    other = client.execution(execution.id)
    assert other.status() == result
    assert client.get(execution.id, wait_ms=1000) == result
    assert other.cancel() == result


def test_wait_has_an_end(client: Client) -> None:
    execution = client.submit("python", SLEEP, limits=LONG)
    assert not client.get(execution.id).finished
    began = time.monotonic()
    with pytest.raises(NotFinished) as caught:
        execution.wait(timeout=0.3)
    assert time.monotonic() - began < 100
    assert caught.value.id == execution.id
    execution.cancel()
    assert execution.wait(timeout=PATIENCE).verdict == Verdict.CANCELLED


def test_cancel_is_the_same_every_time(client: Client) -> None:
    execution = client.submit("python", SPIN, limits={"cpu_time_ms": 200_000, "wall_time_ms": 300_000})
    execution.cancel()
    execution.cancel()
    assert execution.wait(timeout=PATIENCE).verdict == Verdict.CANCELLED
    state = execution.cancel()
    assert isinstance(state, ExecutionResult)
    assert state.verdict == Verdict.CANCELLED


def test_an_id_of_nobody(client: Client) -> None:
    nobody = "01K0ABCDEFGHJKMNPQRSTVWXYZ"
    for ask in (client.get, client.cancel):
        with pytest.raises(errors.NotFound):
            ask(nobody)
    with pytest.raises(errors.NotFound):
        client.execution(nobody).wait(timeout=1)


def test_a_wrong_request_is_told_before_it_is_queued(client: Client) -> None:
    with pytest.raises(errors.UnknownLanguage):
        client.submit("cobol", "")


def test_validate(client: Client) -> None:
    validation = client.validate("c", "int main;", limits=Limits(cpu_time_ms=1234))
    assert validation.valid
    assert validation.language.id == "c"
    assert validation.limits.cpu_time_ms == 1234
    assert validation.compile_limits is not None
    assert client.validate("py", "this is no Python").compile_limits is None
    with pytest.raises(errors.LimitTooLow):
        client.validate("python", "", limits={"processes": 0})


def test_files_come_back(client: Client) -> None:
    source = """
import os
os.makedirs('out')
open('out/a.bin', 'wb').write(bytes(range(256)))
open(b'out/\\xff.bin', 'wb').write(b'odd')
os.mkfifo('out/fifo.bin')
raise SystemExit(1)
"""
    result = client.run("python", source, outputs=["out/*.bin"])
    assert result.verdict == Verdict.RUNTIME_ERROR
    outputs = {os.fsencode(output.path): output for output in result.outputs}
    assert outputs[b"out/a.bin"].data == bytes(range(256))
    assert (outputs[b"out/a.bin"].bytes, outputs[b"out/a.bin"].truncated) == (256, False)
    assert outputs[b"out/\xff.bin"].data == b"odd"
    (skipped,) = result.outputs_skipped
    assert skipped.path == "out/fifo.bin"
    assert skipped.reason
    assert result.outputs_omitted == 0


@pytest.mark.anyio
async def test_asynchronous_executions(url: str, token: str) -> None:
    async with AsyncClient(url, token) as client:
        slow = await client.submit("python", SLEEP, limits=LONG)
        quick = await client.submit("python", HELLO)
        assert (await quick.wait(timeout=PATIENCE)).stdout == "hello\n"
        with pytest.raises(NotFinished):
            await slow.wait(timeout=0.1)
        await slow.cancel()
        assert (await slow.wait(timeout=PATIENCE)).verdict == Verdict.CANCELLED
        assert (await client.validate("python", HELLO)).valid
