"""The package as people get it: its README runs, its types hold, it is what is in this checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import engined_client

HERE = Path(__file__).parents[1]
README = (HERE / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<output>.*?)```\n)?", re.DOTALL)
BLOCKS = [
    pytest.param(
        block["code"],
        block["output"] or "",
        id=f"line {README.count(chr(10), 0, block.start()) + 1}",
    )
    for block in BLOCK.finditer(README)
]
TOOLS = [
    ["mypy", "--cache-dir", str(Path(sys.prefix) / "mypy-cache")],
    ["ruff", "check", "--no-cache"],
    ["ruff", "format", "--no-cache", "--check"],
]


def test_the_readme_has_examples() -> None:
    assert len(BLOCKS) == README.count("```python")
    assert len(BLOCKS) >= 7


@pytest.mark.parametrize(("code", "output"), BLOCKS)
def test_the_readme_runs(code: str, output: str, environment: None, tmp_path: Path, url: str) -> None:
    # As a person would run it, but for the address that it spells out.
    code = code.replace("http://127.0.0.1:7070", url)
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)


def test_the_version_is_that_of_the_workspace() -> None:
    workspace = dict(re.findall(r'^(version|license) = "(.*)"$', (HERE.parents[1] / "Cargo.toml").read_text(), re.M))
    assert engined_client.__version__ == metadata.version("engined-client") == workspace["version"]
    assert metadata.metadata("engined-client")["License-Expression"] == workspace["license"]


def test_what_is_installed_is_whole() -> None:
    installed = Path(engined_client.__file__).parent
    source = HERE / "src" / "engined_client"
    names = {path.name for path in source.iterdir() if path.suffix != ".pyc" and path.name != "__pycache__"}
    assert "py.typed" in names
    for name in names:
        assert (installed / name).read_bytes() == (source / name).read_bytes(), f"{name}: install it again"
    files = [path.name for path in metadata.files("engined-client") or []]
    for licence in ("LICENSE-MIT", "LICENSE-APACHE"):
        assert licence in files
        # A link would lead out of a source distribution.
        assert (HERE / licence).read_bytes() == (HERE.parents[1] / licence).read_bytes()


@pytest.mark.parametrize("tool", TOOLS, ids=" ".join)
def test_it_is_clean(tool: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *tool], cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
