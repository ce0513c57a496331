"""The doctor says what sandboxes started just now saw, and does not take no for a yes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from codeact_kernel.sandbox.doctor import doctor
from codeact_kernel.sandbox.policy import Policy


def test_it_tries_each_isolation_and_names_the_grade(tmp_path: Path) -> None:
    """With "auto" the strongest that held is the grade; each attempt has a report or a reason."""
    diagnosis = doctor(Policy.notebook(tmp_path))
    assert diagnosis.ok
    assert diagnosis.grade == "namespaces"
    assert [attempt.isolation for attempt in diagnosis.attempts] == ["namespaces", "landlock"]
    for attempt in diagnosis.attempts:
        assert bool(attempt.report) != bool(attempt.refused)
    text = diagnosis.to_text()
    assert text.startswith("grade: namespaces")
    assert "none can be opened" in text
    assert text.count("one more can wait") == 2
    assert "not guaranteed here" in text


def test_its_json_says_the_same(tmp_path: Path) -> None:
    """The values are JSON, with the reports in them."""
    values = json.loads(json.dumps(doctor(Policy.strict(tmp_path)).to_json()))
    assert values["grade"] == "namespaces"
    assert values["attempts"][0]["report"]["seccomp"] == 2
    assert values["gaps"]


def test_what_cannot_be_had_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """A folder for sandboxes that is not there: no grade, no exception, one way to go on."""
    diagnosis = doctor(replace(Policy.strict(), runtime=tmp_path / "missing"))
    assert not diagnosis.ok
    assert diagnosis.grade == "refused"
    assert "cannot be had" in diagnosis.to_text()


def test_no_isolation_is_graded_none() -> None:
    """isolation="none" is never called anything else."""
    diagnosis = doctor(replace(Policy.notebook(), isolation="none"))
    assert diagnosis.grade == "none"
    assert "There is no sandbox" in diagnosis.to_text()
