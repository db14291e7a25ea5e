"""What the engine answers, as frozen dataclasses with the contract's names and units.

Fields that this version does not know are ignored; `ExecutionResult.raw` has them. Words of which later engines may
have more (verdicts, statuses, hints) are plain strings.
"""

from __future__ import annotations

import base64
import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from engined_client._decode import decode, since, wire

Raw: TypeAlias = bytes
"""`bytes`, said so where a field of the contract has that name."""


class Verdict(str, enum.Enum):
    """How an execution ended. `ExecutionResult.verdict` is a plain string, which these are equal to."""

    ENGINE_ERROR = "engine_error"
    CANCELLED = "cancelled"
    OUTPUT_LIMIT = "output_limit"
    MEMORY_LIMIT = "memory_limit"
    CPU_TIME_LIMIT = "cpu_time_limit"
    WALL_TIME_LIMIT = "wall_time_limit"
    SECURITY_VIOLATION = "security_violation"
    PROCESS_LIMIT = "process_limit"
    DISK_LIMIT = "disk_limit"
    SIGNALLED = "signalled"
    RUNTIME_ERROR = "runtime_error"
    OK = "ok"
    COMPILE_ERROR = "compile_error"

    __str__ = str.__str__


@dataclass(frozen=True)
class Stream:
    """What is kept of an output stream. `bytes` counts all that was produced, kept or not."""

    bytes: int
    truncated: bool
    data: Raw = wire("text", "base64", repr=False)
    """The kept bytes, exactly."""
    note: str | None = None
    """For people, where it was truncated: how much is here and how much is missing."""

    @property
    def text(self) -> str:
        """The kept bytes as text. What is not UTF-8 is shown as U+FFFD; `data` has it as it was."""
        return self.data.decode("utf-8", "replace")

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        """Take `{text}` or `{base64}`."""
        if value.get("text") is not None:
            return {**value, "data": str.encode(value["text"])}
        return {**value, "data": base64.b64decode(value["base64"], validate=True)}


@dataclass(frozen=True)
class Usage:
    """What one step used, by its own cgroup, all processes included."""

    cpu_time_us: int
    user_time_us: int
    system_time_us: int
    wall_time_us: int
    memory_peak_bytes: int
    memory_peak_source: str
    processes_peak: int
    throttled_us: int
    involuntary_switches: int


@dataclass(frozen=True)
class CompileResult:
    """How the compile step ended. `exit_code` and `signal` are never both set."""

    cached: bool
    """Nothing was compiled for this request: output and usage are those of an earlier or simultaneous equal one."""
    exit_code: int | None
    signal: str | None
    stdout: Stream
    stderr: Stream
    usage: Usage
    watched_calls: Mapping[str, int] = field(default_factory=dict)
    """How often it tried system calls that the engine watches, by name: `socket`, `ptrace`."""


@dataclass(frozen=True)
class RunResult:
    """How the run ended. `exit_code` and `signal` are never both set."""

    start: str
    exit_code: int | None
    signal: str | None
    stdout: Stream
    stderr: Stream
    usage: Usage
    watched_calls: Mapping[str, int] = field(default_factory=dict)
    """How often it tried system calls that the engine watches, by name: `socket`, `ptrace`."""


@dataclass(frozen=True)
class Reason:
    """Why a verdict was given; `message` is a sentence for people. `value` and `observed` have the unit of `limit`."""

    limit: str | None
    value: int | None
    observed: int | None
    message: str
    hint: str | None


@dataclass(frozen=True)
class LanguageUsed:
    """The language and version that were used."""

    id: str
    version: str
    toolchain: str = since("")
    """Which of the language's toolchains; empty where the engine does not say."""


def _named(value: Mapping[str, Any]) -> dict[str, Any]:
    """Take a name that may not be UTF-8, in Python's way: `os.fsencode(path)` gives its bytes."""
    if value.get("path_base64") is not None:
        return {**value, "path": os.fsdecode(base64.b64decode(value["path_base64"], validate=True))}
    return dict(value)


@dataclass(frozen=True)
class OutputFile:
    """A file that was brought back. The program chose its name: check it before you write to a disk under it."""

    bytes: int
    truncated: bool
    path: str = wire("path", "path_base64")
    """Relative to the work directory. Bytes that are not UTF-8 are surrogates, as in `os.listdir`."""
    data: Raw = wire("base64", repr=False)
    """What is in it."""

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        """Take `{base64}`, and `{path}` or `{path_base64}`."""
        return {**_named(value), "data": base64.b64decode(value["base64"], validate=True)}


@dataclass(frozen=True)
class OutputSkipped:
    """A file that was asked for and not brought back."""

    reason: str
    path: str = wire("path", "path_base64")
    """Relative to the work directory, as in `OutputFile`."""

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        """Take `{path}` or `{path_base64}`."""
        return _named(value)


@dataclass(frozen=True)
class Timings:
    """Where the time went, in microseconds."""

    queue_us: int
    compile_us: int
    setup_us: int
    run_us: int
    total_us: int


@dataclass(frozen=True)
class Isolation:
    """What kept the program in. `missing` are layers that the operator waived and the host lacks."""

    layers: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class ExecutionResult:
    """How one execution ended."""

    id: str
    status: str
    verdict: str
    reason: Reason | None
    language: LanguageUsed
    compile: CompileResult | None
    """None for a language without a compile step."""
    run: RunResult | None
    """None when the program never began, as after a compile that failed."""
    outputs: tuple[OutputFile, ...]
    outputs_skipped: tuple[OutputSkipped, ...]
    timings: Timings
    isolation: Isolation
    labels: Mapping[str, str]
    outputs_omitted: int = since(0)
    """How many more files were not brought back, beside those that are listed."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False, metadata={"ours": True})
    """The answer as it came: JSON, fit for storing. `from_json` makes a result of it again."""

    @property
    def finished(self) -> bool:
        """True, where an `ExecutionStatus` says False."""
        return True

    @property
    def ok(self) -> bool:
        """Whether the program ended by itself with exit code 0, within its limits."""
        return self.verdict == Verdict.OK

    @property
    def stdout(self) -> str:
        """What the program wrote to its standard output, as text; empty when it never began."""
        return self.run.stdout.text if self.run else ""

    @property
    def stderr(self) -> str:
        """What the program wrote to its standard error, as text; empty when it never began."""
        return self.run.stderr.text if self.run else ""

    @property
    def message(self) -> str:
        """A sentence for people on why it is not ok; empty when it is."""
        return self.reason.message if self.reason else ""

    @classmethod
    def from_json(cls, value: object) -> ExecutionResult:
        """Make a result of JSON, such as a stored `raw`."""
        return decode(cls, value)

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the answer beside what is made of it."""
        return {**value, "raw": value}


@dataclass(frozen=True)
class ExecutionStatus:
    """How far an execution is that is not finished."""

    id: str
    status: str
    """`queued` or `running`."""
    position: int | None
    """About how many start before it, while it is queued."""
    stage: str | None
    """`compile` or `run`, while it is running."""

    @property
    def finished(self) -> bool:
        """False, where an `ExecutionResult` says True."""
        return False


@dataclass(frozen=True)
class FullLimits:
    """A full set of limits, as the engine has them in force."""

    cpu_time_ms: int
    wall_time_ms: int
    memory_bytes: int
    processes: int
    cpus: float
    output_bytes: int
    file_bytes: int
    disk_bytes: int
    open_files: int
    stack_bytes: int


@dataclass(frozen=True)
class Validation:
    """A request that would be run, and with which limits."""

    valid: bool
    language: LanguageUsed
    limits: FullLimits
    compile_limits: FullLimits | None


@dataclass(frozen=True)
class StepLimits:
    """What a step gets without asking, and the least and most that may be asked for."""

    limits: FullLimits
    floors: FullLimits
    ceilings: FullLimits


@dataclass(frozen=True)
class LanguageVersion:
    """One installed version."""

    version: str
    toolchain: str
    toolchain_digest: str
    run: StepLimits
    compile: StepLimits | None


@dataclass(frozen=True)
class Language:
    """One language that can be asked for, its newest version first."""

    id: str
    aliases: tuple[str, ...]
    name: str
    versions: tuple[LanguageVersion, ...]


@dataclass(frozen=True)
class UnavailableLanguage:
    """A language that is known and lacks its toolchain on the engine's host."""

    id: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Languages:
    """What can be asked for, and what can't for want of a toolchain."""

    languages: tuple[Language, ...]
    unavailable: tuple[UnavailableLanguage, ...]

    def get(self, name: str) -> Language | None:
        """Give the language with this id or alias."""
        return next((one for one in self.languages if name == one.id or name in one.aliases), None)


@dataclass(frozen=True)
class LayerState:
    """One layer of isolation on the engine's host."""

    layer: str
    wanted: bool
    obtained: bool
    remedy: str | None


@dataclass(frozen=True)
class HostIsolation:
    """What keeps programs in on the engine's host."""

    layers: tuple[LayerState, ...]
    engine_layers: tuple[LayerState, ...]
    cgroup: str
    landlock_abi: int
    pinned_cpus: int = since(0)


@dataclass(frozen=True)
class UsageRow:
    """What one tenant has used of one language on one UTC day."""

    tenant: str
    day: str
    language: str
    executions: int
    verdicts: Mapping[str, int]
    cpu_time_us: int
    compile_cpu_time_us: int
    memory_kib_ms: int
    output_bytes: int


@dataclass(frozen=True)
class UsageReport:
    """What tenants have used on the days from `first_day` to `last_day`."""

    first_day: str
    last_day: str
    since: str | None
    durable: bool
    behind_records: int
    usage: tuple[UsageRow, ...]


@dataclass(frozen=True)
class Version:
    """The versions of the engine and of the contract."""

    engine: str
    api: str


@dataclass(frozen=True)
class BatchSummary:
    """How a batch stands. `results` is how many there will be, `done` how many there are."""

    id: str
    status: str
    """`queued`, `running`, `finished` or `cancelled`."""
    submissions: int
    tests: int
    results: int
    done: int
    created_at: str
    finished_at: str | None
    rejudge_of: str | None
    """The batch that this one judges again."""
    labels: Mapping[str, str]

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it: it is finished or cancelled."""
        return self.finished_at is not None


@dataclass(frozen=True)
class CompileTold:
    """What is told of a submission's compile."""

    cached: bool
    reason: Reason | None
    stdout: Stream
    stderr: Stream


@dataclass(frozen=True)
class GroupPoints:
    """The points of a group: what its rule makes of those of its tests. None until the last result."""

    id: str
    points: float | None
    max_points: float


@dataclass(frozen=True)
class SubmissionResult:
    """What became of one submission. None where it is not known yet."""

    id: str
    verdict: str | None
    points: float | None
    max_points: float
    done: int
    cpu_time_us_max: int | None
    memory_peak_bytes_max: int | None
    compile: CompileTold | None
    unjudged: int = since(0)
    """How many of its results say nothing about it: the checker or the engine has failed. They bring no points."""
    groups: tuple[GroupPoints, ...] = since(())
    """The points of each group, after its rule. Those of a result are before it."""


@dataclass(frozen=True)
class Batch:
    """How a batch stands, with its submissions in the order of the request."""

    id: str
    status: str
    submissions: int
    tests: int
    results: int
    done: int
    created_at: str
    finished_at: str | None
    rejudge_of: str | None
    labels: Mapping[str, str]
    verdicts: Mapping[str, int]
    """How many results of each verdict there are."""
    submission_results: tuple[SubmissionResult, ...]

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it: it is finished or cancelled."""
        return self.finished_at is not None


@dataclass(frozen=True)
class BatchPage:
    """A page of `list`, the newest first."""

    batches: tuple[BatchSummary, ...]
    next: str | None


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is."""

    done: int
    results: int


@dataclass(frozen=True)
class Difference:
    """The first place where an output differs; line and column count from 1."""

    line: int
    column: int
    expected: str | None
    found: str | None


@dataclass(frozen=True)
class CheckerTold:
    """What the checker says of an output."""

    message: str | None
    difference: Difference | None
    exit_code: int | None
    stderr: Stream | None
    files: Mapping[str, Stream]
    files_omitted: int = since(0)
    """How many more files it has left, for which the line has no room."""


@dataclass(frozen=True)
class TestResult:
    """What became of one run of one test of one submission."""

    __test__: ClassVar[bool] = False

    seq: int
    """Its number in the batch, from 1 up, without gaps."""
    submission: str
    test: str
    repeat: int
    attempt: int
    """How often it was tried: more than once where an engine went down meanwhile, 0 where it was not run."""
    verdict: str
    points: float
    reason: Reason | None
    usage: Usage | None
    checker: CheckerTold | None
    stdout: Stream | None
    stderr: Stream | None
    finished_at: str
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False, metadata={"ours": True})
    """The line as it came: JSON, fit for storing."""

    @property
    def accepted(self) -> bool:
        """Whether it is right."""
        return self.verdict == "accepted"

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the line beside what is made of it."""
        return {**value, "raw": value}


@dataclass(frozen=True)
class BatchEvent:
    """An event of a batch: `result`, `progress` or `finished`, each with its data. `id` is the last result's `seq`."""

    name: str
    id: int
    data: TestResult | BatchProgress | BatchSummary
