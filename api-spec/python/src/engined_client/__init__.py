"""Run strangers' programs with engined.

    from engined_client import Client

    with Client("http://127.0.0.1:7070") as client:
        result = client.run("python", "print(input()[::-1])", stdin="dlrow olleh")
        print(result.verdict, result.stdout)

`AsyncClient` does the same, awaited. `engined_client.errors` has the exceptions and what they mean.
"""

from engined_client import errors
from engined_client._version import __version__
from engined_client.aio import AsyncClient, AsyncExecution
from engined_client.client import Client, Execution
from engined_client.errors import *  # noqa: F403  all of them
from engined_client.grading import BatchRequest, Checker, CheckerProgram, Group, Submission, Test
from engined_client.requests import Blob, ExecutionRequest, Limits, SourceFile
from engined_client.results import (
    Batch,
    BatchEvent,
    BatchPage,
    BatchProgress,
    BatchSummary,
    CheckerTold,
    CompileResult,
    CompileTold,
    Difference,
    ExecutionResult,
    ExecutionStatus,
    FullLimits,
    GroupPoints,
    HostIsolation,
    Isolation,
    Language,
    Languages,
    LanguageUsed,
    LanguageVersion,
    LayerState,
    OutputFile,
    OutputSkipped,
    Reason,
    RunResult,
    StepLimits,
    Stream,
    SubmissionResult,
    TestResult,
    Timings,
    UnavailableLanguage,
    Usage,
    UsageReport,
    UsageRow,
    Validation,
    Verdict,
    Version,
)
from engined_client.retry import Retry

__all__ = [
    "AsyncClient",
    "AsyncExecution",
    "Batch",
    "BatchEvent",
    "BatchPage",
    "BatchProgress",
    "BatchRequest",
    "BatchSummary",
    "Blob",
    "Checker",
    "CheckerProgram",
    "CheckerTold",
    "Client",
    "CompileResult",
    "CompileTold",
    "Difference",
    "Execution",
    "ExecutionRequest",
    "ExecutionResult",
    "ExecutionStatus",
    "FullLimits",
    "Group",
    "GroupPoints",
    "HostIsolation",
    "Isolation",
    "Language",
    "LanguageUsed",
    "LanguageVersion",
    "Languages",
    "LayerState",
    "Limits",
    "OutputFile",
    "OutputSkipped",
    "Reason",
    "Retry",
    "RunResult",
    "SourceFile",
    "StepLimits",
    "Stream",
    "Submission",
    "SubmissionResult",
    "Test",
    "TestResult",
    "Timings",
    "UnavailableLanguage",
    "Usage",
    "UsageReport",
    "UsageRow",
    "Validation",
    "Verdict",
    "Version",
    "__version__",
    "errors",
]
__all__ += errors.__all__
