"""What becomes of answers."""

from __future__ import annotations

import json
import os
import pickle
from typing import Any

import fake
import pytest

from engined_client import ExecutionResult, Stream, Verdict
from engined_client._decode import Mismatch, decode


def stream(**fields: Any) -> Stream:
    return decode(Stream, {"bytes": 2, "truncated": False, **fields})


def test_a_stream_is_text_and_bytes() -> None:
    assert stream(text="é").data == "é".encode()
    assert stream(text="é").text == "é"
    binary = stream(base64="/w==")
    assert binary.data == b"\xff"
    assert binary.text == "\ufffd"
    assert stream(base64="w6k=").text == "é"


@pytest.mark.parametrize("broken", [{}, {"base64": "?"}, {"base64": None}, {"text": 5}, {"text": None}])
def test_a_broken_stream_is_none(broken: dict[str, Any]) -> None:
    with pytest.raises(Mismatch, match="/: "):
        stream(**broken)


def test_a_result_has_short_ways() -> None:
    result = ExecutionResult.from_json(fake.result())
    assert result.ok
    assert result.finished
    assert (result.stdout, result.stderr, result.message) == ("hello\n", "", "")
    assert result.verdict == Verdict.OK
    assert f"{Verdict.OK}" == "ok"
    reason = {"limit": "cpu_time_ms", "value": 5, "observed": 6, "message": "Too long.", "hint": None}
    failed = ExecutionResult.from_json(fake.result(verdict="cpu_time_limit", reason=reason, run=None))
    assert not failed.ok
    assert (failed.stdout, failed.stderr, failed.message) == ("", "", "Too long.")


def test_outputs_are_bytes_with_names() -> None:
    result = ExecutionResult.from_json(
        fake.result(
            outputs=[
                {"path": "a.png", "base64": "iVA=", "bytes": 5000, "truncated": True},
                {"path_base64": "//4=", "base64": "", "bytes": 0, "truncated": False},
            ],
            outputs_skipped=[{"path": "fifo", "reason": "no regular file"}, {"path_base64": "/w==", "reason": "x"}],
            outputs_omitted=3,
        )
    )
    image, odd = result.outputs
    assert (image.path, image.data, image.bytes, image.truncated) == ("a.png", b"\x89P", 5000, True)
    assert os.fsencode(odd.path) == b"\xff\xfe"
    assert [os.fsencode(skipped.path) for skipped in result.outputs_skipped] == [b"fifo", b"\xff"]
    assert result.outputs_skipped[0].reason == "no regular file"
    assert result.outputs_omitted == 3


def test_what_is_new_is_ignored_and_kept() -> None:
    answer = fake.result(verdict="melted", hologram={"x": 1})
    answer["run"] = {**answer["run"], "start": "warm", "mood": "good"}
    result = ExecutionResult.from_json(answer)
    assert result.verdict == "melted"
    assert not result.ok
    assert result.run is not None
    assert result.run.start == "warm"
    assert result.raw["hologram"] == {"x": 1}


def test_a_result_can_be_stored() -> None:
    result = ExecutionResult.from_json(fake.result())
    assert ExecutionResult.from_json(json.loads(json.dumps(result.raw))) == result
    assert pickle.loads(pickle.dumps(result)) == result
    assert "raw" not in repr(result)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"id": None}, "/id is None, expected str"),
        ({"labels": []}, "/labels is [], expected an object"),
        ({"labels": {"a": 1}}, "/labels/a is 1, expected str"),
        ({"outputs": {}}, "/outputs is {}, expected an array"),
        ({"timings": {"queue_us": 1}}, "/timings/compile_us is missing"),
        ({"run": []}, "/run is [], expected an object"),
        ({"isolation": {"layers": [True], "missing": []}}, "/isolation/layers/0 is True, expected str"),
        ({"outputs_omitted": True}, "/outputs_omitted is True, expected int"),
    ],
)
def test_a_wrong_answer_is_told_where(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(Mismatch) as caught:
        ExecutionResult.from_json(fake.result(**changes))
    assert str(caught.value) == where
