"""Whether the step of a job begins: by the time of the class, and by what the machine has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.awx.admission import BEGAN, REFUSED, Admission, Refused, admit, began_of, refused_of
from e2e_ansible.errors import UsageError


def word(tmp_path: Path, **more: Any) -> Admission:
    given: dict[str, Any] = {"time_class": "", "requirements": {}, "begun": None, "now": 1000.0}
    return admit(**{**given, **more}, disk=tmp_path)


def test_the_first_job_begins_the_time(tmp_path: Path) -> None:
    assert word(tmp_path, time_class="fast") == Admission(begun=1000.0, first=True, until=1300.0)
    later = word(tmp_path, time_class="fast", begun=800.0)
    assert later == Admission(begun=800.0, first=False, until=1100.0)
    assert word(tmp_path).until == 0.0


@pytest.mark.parametrize(("begun", "refused"), [(700.1, False), (700.0, True), (100.0, True)])
def test_no_step_begins_when_the_time_is_over(begun: float, refused: bool, tmp_path: Path) -> None:
    found = word(tmp_path, time_class="fast", begun=begun).refused
    assert bool(found) is refused
    if found:
        assert (found.why, found.used) == ("time", 1000 - begun)
        assert f"the time of class fast, 300 s, is over after {1000 - begun:.0f} s" in found.text
    assert word(tmp_path, begun=begun).refused is None, "without a class there is no limit"


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        ({"commands": ["sh", "no-such-program"]}, "the command 'no-such-program' is not there"),
        ({"min_cpus": 100_000}, "processors: "),
        ({"min_memory_gb": 1e9}, "memory available"),
        ({"min_disk_gb": 1e9}, "disk free"),
    ],
)
def test_a_machine_that_lacks_something_begins_nothing(
    requirements: dict[str, Any], words: str, tmp_path: Path
) -> None:
    found = word(tmp_path, requirements=requirements).refused
    assert found is not None
    assert found.why == "requirements"
    assert words in found.text
    assert word(tmp_path, requirements={"commands": ["sh"], "min_memory_gb": 0.0}).refused is None


def test_what_nobody_knows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no class 'fats'") as caught:
        word(tmp_path, time_class="fats")
    assert caught.value.hint == "did you mean 'fast'?"
    with pytest.raises(UsageError, match="e2e_requirements"):
        word(tmp_path, requirements={"min_cpu": 1})


def test_the_word_of_a_job_is_read_from_its_result() -> None:
    refused = Refused(why="time", text="over", used=5.0)
    assert refused_of({REFUSED: refused.model_dump(mode="json")}) == refused
    for other in ({}, {REFUSED: None}, {REFUSED: {"why": "mood", "text": ""}}, {REFUSED: "x"}):
        assert refused_of(other) is None
    assert (began_of({BEGAN: 5}), began_of({BEGAN: "x"}), began_of({})) == (5.0, None, None)
