"""What jobs hand on to later ones: a name for each, put together by who reads it."""

from __future__ import annotations

import json

import pytest

from e2e_ansible.awx.artifacts import BEGUN, OUTPUT, artifact, begun_of, registered_of
from e2e_ansible.errors import HarnessError


def output(name: str, text: str) -> str:
    return json.dumps({"name": name, "stdout": text, "stderr": "", "rc": 0})


def test_each_step_has_a_name_of_its_own_that_ansible_takes() -> None:
    names = [artifact(OUTPUT, step) for step in ("01-a-b", "02-a-b", "03-a_b", "04-who")]
    assert names == ["e2e_output_01_a_b", "e2e_output_02_a_b", "e2e_output_03_a_b", "e2e_output_04_who"]
    assert all(name.isidentifier() for name in names)


def test_outputs_are_known_by_what_they_were_registered_as() -> None:
    given = {
        artifact(OUTPUT, "02-x"): output("who", "{{ 7 }}"),
        artifact(OUTPUT, "01-x"): output("what", "5"),
        "e2e_step": "custom_command",
        "other": 1,
    }
    assert registered_of(given) == {
        "what": {"stdout": "5", "stderr": "", "rc": 0},
        "who": {"stdout": "{{ 7 }}", "stderr": "", "rc": 0},
    }
    assert registered_of({}) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', '{"stdout": "", "stderr": "", "rc": 0}', 5])
def test_what_is_no_output_is_an_error_and_not_an_empty_one(text: object) -> None:
    with pytest.raises(HarnessError, match="the artifact e2e_output_01 is no output of a step"):
        registered_of({"e2e_output_01": text})


def test_of_branches_that_began_at_once_the_earliest_says_when() -> None:
    given = {artifact(BEGUN, "02-x"): 20.5, artifact(BEGUN, "01-x"): "19", "e2e_begin": 1}
    assert begun_of(given) == 19.0
    assert begun_of({"e2e_step": "x"}) is None
    with pytest.raises(HarnessError, match="is no time"):
        begun_of({artifact(BEGUN, "01-x"): "soon"})
