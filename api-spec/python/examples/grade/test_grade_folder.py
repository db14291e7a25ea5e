"""The example grades, and judges nothing twice."""

from __future__ import annotations

import io
from pathlib import Path

from engined_client import Client
from examples.grade.grade import grade, write


def test_a_folder_is_graded_once(client: Client, tmp_path: Path) -> None:
    submissions, tests = tmp_path / "submissions", tmp_path / "tests"
    submissions.mkdir()
    tests.mkdir()
    # A line of its own makes it another batch than that of the last time.
    (submissions / "ada.py").write_text(f"# {tmp_path}\nimport sys\nprint(sum(map(int, sys.stdin)))\n")
    (submissions / "bob.py").write_text("print(int(input()) * 1)\n")
    (submissions / "notes.txt").write_text("no program\n")
    (tests / "1.in").write_text("5\n")
    (tests / "1.out").write_text("5\n")
    (tests / "2.in").write_text("1\n" * 40_000)
    (tests / "2.out").write_text("40000\n")
    batch = grade(client, submissions, tests)
    table = io.StringIO()
    write(batch, table)
    assert table.getvalue() == "name,verdict,points,of,unjudged\nada,accepted,20,20,0\nbob,partial,10,20,0\n"
    assert grade(client, submissions, tests).id == batch.id
