from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from scripts import audit


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    left = list(answers)

    def run(*command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, left.pop(0), "")

    monkeypatch.setattr(subprocess, "run", run)


def found(*faults: str) -> str:
    listed = [{"id": fault, "fix_versions": ["2"], "aliases": []} for fault in faults]
    return json.dumps({"dependencies": [{"name": "x", "version": "1", "vulns": listed}]})


def test_a_known_fault_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "cut off", found("CVE-1", "CVE-2"))
    monkeypatch.setitem(audit.KNOWN, "CVE-2", "not reached")
    with pytest.raises(SystemExit, match=r"(?s)by osv.*x 1: CVE-1, mended in 2$"):
        audit.main()


def test_without_a_database_it_says_so_and_does_not_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, "", json.dumps({"dependencies": [{"name": "x", "skip_reason": "no answer"}]}))
    audit.main()
    assert "NOT CHECKED" in capsys.readouterr().err


def test_no_fault_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answering(monkeypatch, found())
    audit.main()
    assert "No known fault" in capsys.readouterr().out
