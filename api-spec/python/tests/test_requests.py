"""What is sent."""

from __future__ import annotations

from typing import Any

import pytest

from engined_client import ExecutionRequest, Limits, SourceFile


def body(**fields: Any) -> dict[str, object]:
    return ExecutionRequest(language="python", **fields).to_json()


def test_what_is_not_given_is_not_sent() -> None:
    assert body(source="") == {"language": "python", "source": ""}
    nothing = dict.fromkeys(["version", "files", "stdin", "args", "env", "limits", "outputs", "labels"])
    assert body(source="x", **nothing) == {"language": "python", "source": "x"}


def test_every_field_is_sent_by_its_name() -> None:
    sent = body(
        version="3.11",
        files={"a/b.py": "print()", "data.bin": b"\x00\xff"},
        entry="a/b.py",
        stdin=b"\x80",
        args=("--quiet",),
        env={"LANG": "C.UTF-8"},
        compile_flags=["-O1"],
        limits=Limits(cpu_time_ms=1000, cpus=0.5),
        compile_limits={"wall_time_ms": 5000, "memory_bytes": None},
        outputs=["*.png"],
        on_output_limit="kill",
        output_encoding="base64",
        priority="batch",
        labels={"exercise": "doubling"},
    )
    assert sent == {
        "language": "python",
        "version": "3.11",
        "files": [{"path": "a/b.py", "content": "print()"}, {"path": "data.bin", "content": {"base64": "AP8="}}],
        "entry": "a/b.py",
        "stdin": {"base64": "gA=="},
        "args": ["--quiet"],
        "env": {"LANG": "C.UTF-8"},
        "compile_flags": ["-O1"],
        "limits": {"cpu_time_ms": 1000, "cpus": 0.5},
        "compile_limits": {"wall_time_ms": 5000},
        "outputs": ["*.png"],
        "on_output_limit": "kill",
        "output_encoding": "base64",
        "priority": "batch",
        "labels": {"exercise": "doubling"},
    }


def test_files_come_as_a_table_or_one_by_one() -> None:
    one_by_one = (file for file in [SourceFile("a.py", "1"), SourceFile("b.py", b"2")])
    assert body(files=one_by_one) == body(files={"a.py": "1", "b.py": b"2"})


@pytest.mark.parametrize("name", ["args", "compile_flags", "outputs"])
def test_a_string_is_no_list_of_strings(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is '--fast'; give a list of strings"):
        body(source="", **{name: "--fast"})


def test_content_is_text_or_bytes() -> None:
    with pytest.raises(TypeError, match="stdin is int; give str or bytes"):
        body(source="", stdin=5)
    with pytest.raises(TypeError, match="the content of 'a' is list"):
        body(files={"a": ["x"]})
    assert body(source=bytearray(b"\xff"))["source"] == {"base64": "/w=="}
