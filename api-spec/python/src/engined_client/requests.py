"""What is asked of the engine, with the contract's names and units."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, TypedDict

Content: TypeAlias = str | bytes
"""A string is sent as it is, bytes as base64; a `Blob` stands for bytes that were sent before."""
Day: TypeAlias = datetime.date | str
"""A UTC day; a string as in `2026-11-26`."""

OnOutputLimit: TypeAlias = Literal["truncate", "kill"]
OutputEncoding: TypeAlias = Literal["auto", "base64"]
Priority: TypeAlias = Literal["interactive", "batch"]


class Blob(str):
    """The name of bytes that were sent before, `sha256:…`, as `client.blobs.put` gives it.

    It is a string. Given as `stdin` or `expected` it stands for the bytes; a plain string would be sent as text.
    """

    __slots__ = ()


@dataclass(frozen=True)
class SourceFile:
    """One file of a program. The path is relative to the work directory."""

    path: str
    content: Content


@dataclass(frozen=True)
class Limits:
    """Limits to ask for. What is None is the language's own, never unlimited; above the ceiling is refused."""

    cpu_time_ms: int | None = None
    """User and system time of all processes and threads together."""
    wall_time_ms: int | None = None
    """From the program's start to its end."""
    memory_bytes: int | None = None
    """All memory that it causes: page cache and files in the work directory included."""
    processes: int | None = None
    """Processes and threads."""
    cpus: float | None = None
    """Share of cores, 0.1 and up."""
    output_bytes: int | None = None
    """Each of stdout and stderr."""
    file_bytes: int | None = None
    """One file."""
    disk_bytes: int | None = None
    """The whole work directory; it counts as memory too."""
    open_files: int | None = None
    """Open descriptors of one process."""
    stack_bytes: int | None = None
    """Stack of the main thread."""


Files: TypeAlias = Mapping[str, Content] | Iterable[SourceFile]
LimitsLike: TypeAlias = Limits | Mapping[str, int | float | None]


class RequestOptions(TypedDict, total=False):
    """The fields of a request beyond `language` and `source`. None is as good as leaving one out."""

    version: str | None
    files: Files | None
    entry: str | None
    stdin: Content | None
    args: Sequence[str] | None
    env: Mapping[str, str] | None
    compile_flags: Sequence[str] | None
    limits: LimitsLike | None
    compile_limits: LimitsLike | None
    outputs: Sequence[str] | None
    on_output_limit: OnOutputLimit | None
    output_encoding: OutputEncoding | None
    priority: Priority | None
    labels: Mapping[str, str] | None


class CallOptions(TypedDict, total=False):
    """What can be said of any call: it does not become part of the request's body."""

    timeout: float | None
    """Seconds to wait for the answer, instead of what follows from the limits."""
    request_id: str | None
    """`X-Request-Id`: comes back in problems and in the engine's log."""
    traceparent: str | None
    """W3C trace context."""


class RunOptions(RequestOptions, CallOptions, total=False):
    """Everything that `run`, `submit` and `validate` accept by name."""


@dataclass(frozen=True)
class ExecutionRequest:
    """One program to run: exactly one of `source` and `files`. The engine checks it, not this class."""

    language: str
    source: Content | None = None
    version: str | None = None
    files: Files | None = None
    entry: str | None = None
    stdin: Content | None = None
    args: Sequence[str] | None = None
    env: Mapping[str, str] | None = None
    compile_flags: Sequence[str] | None = None
    limits: LimitsLike | None = None
    compile_limits: LimitsLike | None = None
    outputs: Sequence[str] | None = None
    on_output_limit: OnOutputLimit | None = None
    output_encoding: OutputEncoding | None = None
    priority: Priority | None = None
    labels: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, object]:
        """Give the body of the call."""
        body: dict[str, object] = {"language": self.language}
        for name in ("version", "entry", "on_output_limit", "output_encoding", "priority"):
            body[name] = getattr(self, name)
        for name in ("source", "stdin"):
            content = getattr(self, name)
            body[name] = None if content is None else content_of(name, content)
        for name in ("args", "compile_flags", "outputs"):
            body[name] = words_of(name, getattr(self, name))
        for name in ("env", "labels"):
            table = getattr(self, name)
            body[name] = None if table is None else dict(table)
        body["files"] = None if self.files is None else files_of(self.files)
        body["limits"] = limits_of(self.limits)
        body["compile_limits"] = limits_of(self.compile_limits)
        return {name: value for name, value in body.items() if value is not None}


def content_of(name: str, content: object) -> object:
    """Give what is sent for bytes."""
    if isinstance(content, Blob):
        return {"blob": str(content)}
    if isinstance(content, str):
        return content
    if isinstance(content, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(content).decode("ascii")}
    raise TypeError(f"{name} is {type(content).__name__}; give str or bytes")


def words_of(name: str, words: Sequence[str] | None) -> list[str] | None:
    """Give what is sent for a list of words."""
    # A string is a sequence of strings too, and would become one argument per character.
    if isinstance(words, (str, bytes)):
        raise TypeError(f"{name} is {words!r:.80}; give a list of strings")
    return None if words is None else list(words)


def files_of(files: Files) -> list[dict[str, object]]:
    """Give what is sent for files."""
    if isinstance(files, Mapping):
        files = [SourceFile(path, content) for path, content in files.items()]
    return [{"path": file.path, "content": content_of(f"the content of {file.path!r}", file.content)} for file in files]


def limits_of(limits: LimitsLike | None) -> dict[str, object] | None:
    """Give what is sent for limits."""
    if isinstance(limits, Limits):
        limits = {field.name: getattr(limits, field.name) for field in fields(limits)}
    return None if limits is None else {name: value for name, value in limits.items() if value is not None}
