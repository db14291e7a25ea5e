"""What is asked of batches, with the contract's names and units. The engine checks it, not these classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict, TypeVar

from engined_client.requests import Content, Files, LimitsLike, content_of, files_of, limits_of, words_of

CheckerKind: TypeAlias = Literal["exact", "lines", "tokens", "float", "unordered_lines", "program"]
Feedback: TypeAlias = Literal["full", "verdict_only"]
Protocol: TypeAlias = Literal["kattis", "testlib"]
Rule: TypeAlias = Literal["all", "sum", "min"]
Stop: TypeAlias = Literal["never", "first_failure", "group"]

T = TypeVar("T")


@dataclass(frozen=True)
class Submission:
    """One program of a batch: exactly one of `source` and `files`. `id` is the caller's name for it."""

    id: str
    language: str
    source: Content | None = None
    version: str | None = None
    files: Files | None = None
    entry: str | None = None
    compile_flags: Sequence[str] | None = None

    def to_json(self) -> dict[str, object]:
        """Give its part of the body."""
        return _given(id=self.id, **_program(self))


@dataclass(frozen=True)
class Test:
    """One test of a batch. `stdin` and `expected` may be a `Blob`; without `expected` a run that is ok is accepted."""

    __test__: ClassVar[bool] = False

    id: str
    stdin: Content
    expected: Content | None = None
    group: str | None = None
    points: float | None = None
    args: Sequence[str] | None = None
    env: Mapping[str, str] | None = None
    limits: LimitsLike | None = None

    def to_json(self) -> dict[str, object]:
        """Give its part of the body."""
        return _given(
            id=self.id,
            group=self.group,
            points=self.points,
            stdin=content_of("stdin", self.stdin),
            expected=None if self.expected is None else content_of("expected", self.expected),
            args=words_of("args", self.args),
            env=None if self.env is None else dict(self.env),
            limits=limits_of(self.limits),
        )


@dataclass(frozen=True)
class Group:
    """A group of tests, and how its points are put together."""

    id: str
    rule: Rule | None = None

    def to_json(self) -> dict[str, object]:
        """Give its part of the body."""
        return _given(id=self.id, rule=self.rule)


@dataclass(frozen=True)
class CheckerProgram:
    """A program that decides: exactly one of `source` and `files`."""

    language: str
    protocol: Protocol
    source: Content | None = None
    version: str | None = None
    files: Files | None = None
    entry: str | None = None
    compile_flags: Sequence[str] | None = None
    args: Sequence[str] | None = None
    limits: LimitsLike | None = None
    compile_limits: LimitsLike | None = None

    def to_json(self) -> dict[str, object]:
        """Give its part of the body."""
        return _given(
            **_program(self),
            protocol=self.protocol,
            args=words_of("args", self.args),
            limits=limits_of(self.limits),
            compile_limits=limits_of(self.compile_limits),
        )


@dataclass(frozen=True)
class Checker:
    """How an output is compared. `absolute` and `relative` belong to `float`, `program` to `program`."""

    kind: CheckerKind
    absolute: float | None = None
    relative: float | None = None
    program: CheckerProgram | Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, object]:
        """Give its part of the body."""
        program = None if self.program is None else _made(CheckerProgram, self.program).to_json()
        return _given(kind=self.kind, absolute=self.absolute, relative=self.relative, program=program)


SubmissionLike: TypeAlias = Submission | Mapping[str, Any]
TestLike: TypeAlias = Test | Mapping[str, Any]
GroupLike: TypeAlias = Group | Mapping[str, Any]
CheckerLike: TypeAlias = Checker | CheckerKind | Mapping[str, Any]


class BatchOptions(TypedDict, total=False):
    """The fields of a batch beyond its submissions and tests. None is as good as leaving one out."""

    groups: Iterable[GroupLike] | None
    checker: CheckerLike | None
    limits: LimitsLike | None
    compile_limits: LimitsLike | None
    limits_by_language: Mapping[str, LimitsLike] | None
    stop: Stop | None
    repeat: int | None
    feedback: Feedback | None
    labels: Mapping[str, str] | None


@dataclass(frozen=True)
class BatchRequest:
    """Submissions, and the tests that each of them is judged by."""

    submissions: Iterable[SubmissionLike]
    tests: Iterable[TestLike]
    groups: Iterable[GroupLike] | None = None
    checker: CheckerLike | None = None
    limits: LimitsLike | None = None
    compile_limits: LimitsLike | None = None
    limits_by_language: Mapping[str, LimitsLike] | None = None
    stop: Stop | None = None
    repeat: int | None = None
    feedback: Feedback | None = None
    labels: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, object]:
        """Give the body of the call."""
        checker = Checker(self.checker) if isinstance(self.checker, str) else self.checker
        by_language = self.limits_by_language
        return _given(
            submissions=[_made(Submission, one).to_json() for one in self.submissions],
            tests=[_made(Test, one).to_json() for one in self.tests],
            groups=None if self.groups is None else [_made(Group, one).to_json() for one in self.groups],
            checker=None if checker is None else _made(Checker, checker).to_json(),
            limits=limits_of(self.limits),
            compile_limits=limits_of(self.compile_limits),
            limits_by_language=by_language and {language: limits_of(own) for language, own in by_language.items()},
            stop=self.stop,
            repeat=self.repeat,
            feedback=self.feedback,
            labels=None if self.labels is None else dict(self.labels),
        )


def _given(**body: object) -> dict[str, object]:
    return {name: value for name, value in body.items() if value is not None}


def _made(kind: type[T], value: T | Mapping[str, Any]) -> T:
    """Give a `kind`, made of a mapping where it is one: a wrong name in it is a `TypeError` here."""
    if not isinstance(value, Mapping):
        return value
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := set(value) - known:
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
    return kind(**value)


def _program(of: Submission | CheckerProgram) -> dict[str, object]:
    return {
        "language": of.language,
        "version": of.version,
        "source": None if of.source is None else content_of("source", of.source),
        "files": None if of.files is None else files_of(of.files),
        "entry": of.entry,
        "compile_flags": words_of("compile_flags", of.compile_flags),
    }
