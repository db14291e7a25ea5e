"""Grade a folder of submissions against a folder of tests, and write a table.

    python grade.py SUBMISSIONS TESTS > grades.csv

SUBMISSIONS has one file for each person, `ada.py`, `bob.c`; TESTS has `1.in` and `1.out`, … of ten points each. It can
be stopped and started again: what was sent before is found by its key, and nothing is judged twice.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from pathlib import Path
from typing import TextIO

from engined_client import Batch, Client, Submission, Test

LANGUAGES = {".py": "python", ".c": "c", ".cpp": "cpp", ".java": "java", ".js": "javascript"}
INLINE_BYTES = 64 << 10
"""What is larger is sent by itself, and once, however often the folder is graded."""


def grade(client: Client, submissions: Path, tests: Path) -> Batch:
    """Have everything judged, and tell on standard error how far it is."""
    programs = [
        Submission(path.stem, LANGUAGES[path.suffix], path.read_bytes())
        for path in sorted(submissions.iterdir())
        if path.suffix in LANGUAGES
    ]
    cases = []
    for path in sorted(tests.glob("*.in")):
        large = path.stat().st_size > INLINE_BYTES
        stdin = client.blobs.put(path) if large else path.read_bytes()
        cases.append(Test(path.stem, stdin, path.with_suffix(".out").read_bytes(), points=10))
    batch = client.batches.create(programs, cases, labels={"course": "demo"}, idempotency_key=key(submissions, tests))
    for done, result in enumerate(client.batches.results(batch.id), 1):
        print(f"\r{done}/{batch.results} {result.submission}: {result.verdict}", end="\033[K", file=sys.stderr)
    print(file=sys.stderr)
    return client.batches.get(batch.id)


def key(*folders: Path) -> str:
    """Give the same word for the same files."""
    hashed = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        hashed.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def write(batch: Batch, file: TextIO) -> None:
    """Write the grades."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["name", "verdict", "points", "of", "unjudged"])
    for row in batch.submission_results:
        table.writerow([row.id, row.verdict, f"{row.points or 0:g}", f"{row.max_points:g}", row.unjudged])


if __name__ == "__main__":
    with Client() as client:
        write(grade(client, Path(sys.argv[1]), Path(sys.argv[2])), sys.stdout)
