"""Matrix, variables and parameters."""

from __future__ import annotations

import pytest
from suite_texts import Load, Problems

from e2e_ansible.suite import expand
from e2e_ansible.suite.reference import StepReference, split_references

COMMAND = "workflow:\n- {step: custom_command, register: me, custom_command: [a]}\n- step: custom_command\n"


def command(load: Load, head: str, *words: str) -> tuple[str, ...]:
    """The words of the second command of a suite."""
    text = head + COMMAND + "  custom_command: [" + ", ".join(f"'{word}'" for word in words) + "]\n"
    options = load(text).tests[0].steps[1].options
    return options.custom_command  # type: ignore[attr-defined,no-any-return]


def test_a_matrix_makes_a_test_of_each_combination(load: Load) -> None:
    head = "matrix: {size: [1, 3], ui: [true, false]}\n"
    head += "parameters: {cluster_size: '${matrix.size}', admin_ui: '${matrix.ui}'}\n"
    suite = load(head + "workflow: [{step: init}]", "s.yaml")
    assert [test.name for test in suite.tests] == [
        "s[size=1,ui=true]", "s[size=1,ui=false]", "s[size=3,ui=true]", "s[size=3,ui=false]",
    ]  # fmt: skip
    assert [len(test.nodes) for test in suite.tests] == [1, 1, 3, 3]
    assert [test.entry.parameters.admin_ui for test in suite.tests] == [True, False, True, False]
    assert suite.tests[0].positions is not None


NAMED = """
matrix:
  settings:
    small: {work_mem: 4MB, shared_buffers: 64MB}
    large: {application_name: '$${steps.me.rc}', shared_buffers: 1GB}
    own: {}
  flavour: {mild: 1, hot: 2}
parameters: {postgres_settings: '${matrix.settings}', cluster_size: '${matrix.flavour}'}
"""


def test_a_matrix_may_name_its_values(load: Load) -> None:
    suite = load(NAMED + "workflow: [{step: init}]", "s.yaml")
    assert [test.name for test in suite.tests] == [
        "s[settings=small,flavour=mild]", "s[settings=small,flavour=hot]", "s[settings=large,flavour=mild]",
        "s[settings=large,flavour=hot]", "s[settings=own,flavour=mild]", "s[settings=own,flavour=hot]",
    ]  # fmt: skip
    given = [test.entry.parameters for test in suite.tests]
    assert [each.cluster_size for each in given] == [1, 2, 1, 2, 1, 2]
    assert given[0].postgres_settings == {"work_mem": "4MB", "shared_buffers": "64MB"}
    assert given[2].postgres_settings["shared_buffers"] == "1GB"
    assert given[4].postgres_settings == {}


def test_one_value_of_a_named_choice_is_named_with_a_dot(load: Load) -> None:
    head = "matrix: {settings: {small: {work_mem: 4MB, port: 1}}}\n"
    words = command(load, head, "${matrix.settings.work_mem}!", "p${matrix.settings.port}")
    assert words == ("4MB!", "p1")


NAMED_BAD = [
    ("'${matrix.settings} x'", "'${matrix.settings}' is a mapping, not a single value (put nothing beside it)"),
    ("'${matrix.settings.work_mum}'", "unknown matrix value 'settings.work_mum' in '${matrix.settings.work_mum}'"
        " (did you mean 'settings.work_mem'?)"),
    ("'${matrix.setings}'", "unknown matrix value 'setings' in '${matrix.setings}' (did you mean 'settings'?)"),
    ("'${matrix.settings}'", "item 1 of 'custom_command' must be text, not a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("word", "said"), NAMED_BAD)
def test_a_wrong_use_of_a_named_choice_is_told_where_it_stands(
    word: str, said: str, problems: Problems
) -> None:
    head = "matrix: {settings: {small: {work_mem: 4MB}}}\nworkflow:\n- step: custom_command\n"
    assert problems(head + f"  custom_command: [{word}]\n") == [f"suite.yaml:4:20: {said}"]


def test_a_value_that_one_choice_lacks_is_told(problems: Problems) -> None:
    head = "matrix:\n  s: {small: {a: x}, large: {a: x, b: y}}\ndescription: '${matrix.s.b}'\n"
    (problem,) = problems(head + "workflow: [{step: init}]")
    assert problem == "suite.yaml:3:14: unknown matrix value 's.b' in '${matrix.s.b}' (did you mean 's.a'?)"


MALFORMED = [
    ("{a: {}}", "1:13: 'matrix.a' must have at least 1 item"),
    ("{a: {x: [1]}}", "1:17: 'matrix.a.x' must be text, a number, true or false, not a list"),
    ("{a: {x: {y: {z: 1}}}}", "1:21: 'matrix.a.x.y' must be text, a number, true or false, not a mapping"),
    ("{a: {x: null}}", "1:17: 'matrix.a.x' must be text, a number, true or false, not nothing"),
    ("{a: {x y: 1}}", "1:14: 'x y' is not a name"),
    ("{a: [{b: 1}]}", "1:14: item 1 of 'matrix.a' must be text, a number, true or false, not a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("matrix", "said"), MALFORMED)
def test_a_malformed_matrix_is_told_once(matrix: str, said: str, problems: Problems) -> None:
    head = f"matrix: {matrix}\ndescription: '${{matrix.a}} ${{matrix.a.x}}'\nworkflow: [{{step: init}}]"
    (problem,) = problems(head)
    assert problem.startswith(f"suite.yaml:{said}")


def test_a_name_with_two_meanings_is_told(load: Load, problems: Problems) -> None:
    head = "workflow: [{step: init}]\nmatrix: {a: {x: {b: one}}"
    (problem,) = problems(head + ", a.b: [two]}")
    assert problem == (
        "suite.yaml:2:28: 'a.b' is a key of the matrix, and in the mapping of another one as well"
        " (a reference could mean either; rename one)"
    )
    assert load(head + ", a.c: [two]}").tests


def test_a_mapping_cannot_be_put_in_too_often(problems: Problems) -> None:
    many = ", ".join(f"k{number}: 1" for number in range(190))
    words = ", ".join(["'${matrix.s}'"] * 6000)
    (problem,) = problems(
        f"matrix: {{s: {{one: {{{many}}}}}}}\nworkflow: [{{step: custom_command, custom_command: [{words}]}}]"
    )
    assert "the matrix makes 1 tests of 6" in problem


def test_references_are_put_into_text_and_keep_their_type_alone(load: Load) -> None:
    head = "variables: {size: 2, f: 1.5, b: true, t: x}\nparameters: {cluster_size: '${variables.size}'}\n"
    words = command(
        load,
        head,
        "${variables.size}/${variables.f}/${variables.b}",
        "${variables.t}",
        "n=${parameters.cluster_size}",
    )
    assert words == ("2/1.5/true", "x", "n=2")


def test_parameters_have_their_defaults_and_inner_names(load: Load) -> None:
    head = (
        "parameters: {postgres_settings: {work_mem: 4MB}}\ndescription: '${parameters.cluster_size} nodes'\n"
    )
    words = command(load, head, "${parameters.postgres_settings.work_mem}", "${parameters.database}")
    assert words == ("4MB", "replication")
    assert load(head + COMMAND + "  custom_command: [a]").tests[0].entry.description == "3 nodes"


def test_dollars_are_doubled_for_text(load: Load) -> None:
    head = "matrix: {m: ['$${x}']}\nvariables: {v: '$${y}', d: $}\n"
    words = command(load, head, "$${HOME} $5", "${matrix.m}${variables.v}", "${variables.d}{x}")
    assert words == ("${HOME} $5", "${x}${y}", "${x}")


def test_references_to_steps_stay_and_text_like_them_is_told_apart(load: Load) -> None:
    head = "variables: {v: '$${steps.me.rc}', d: $}\n"
    words = command(
        load, head, "<${steps.me.stdout}>", "$${steps.me.rc}", "${variables.v}", "${variables.d}{steps.me.rc}",
        "${variables.d}${steps.me.rc}",
    )  # fmt: skip
    rc, text = StepReference("me", "rc"), "${steps.me.rc}"
    assert [split_references(word) for word in words] == [
        ["<", StepReference("me", "stdout"), ">"], [text], [text], [text], ["$", rc],
    ]  # fmt: skip


def test_text_like_a_reference_is_not_taken_for_a_wrong_one(load: Load) -> None:
    words = command(load, "", "$${HOME} ${steps.me.rc}", "$${steps} $${steps", "$${steps.me.size}")
    rc = StepReference("me", "rc")
    assert [split_references(word) for word in words] == [
        ["${HOME} ", rc], ["${steps} ${steps"], ["${steps.me.size}"],
    ]  # fmt: skip


BAD = [
    ("variables: {ab: 1}", "${variables.abc}", "unknown variable 'abc' in '${variables.abc}' (did you mean 'ab'?)"),
    ("", "${variables.a}", "unknown variable 'a' in '${variables.a}'"),
    ("matrix: {a: [1]}", "${matrix.b}", "unknown matrix value 'b' in '${matrix.b}' (known: a)"),
    ("", "${parameters.clustersize}", "unknown parameter 'clustersize' in '${parameters.clustersize}' (did you mean"
        " 'cluster_size'?)"),
    ("", "${parameters.instance_type}", "'${parameters.instance_type}' has no value in this test"),
    ("parameters: {postgres_settings: {work_mem: 4MB}}", "${parameters.postgres_settings}",
        "'${parameters.postgres_settings}' is a mapping, not a single value"),
    ("", "${HOME}", "unknown reference '${HOME}' (write $${HOME} if it is text)"),
    ("", "${varables.x}", "unknown reference '${varables.x}' (did you mean '${variables.x}'?)"),
    ("", "a ${", "'${' has no closing brace (write $${ if it is text)"),
    ("", "${steps.me.stdot}", "'${steps.me.stdot}' is not a field of a step's result (did you mean 'stdout'?)"),
    ("", "${steps.me}", "'${steps.me}' is not a field of a step's result (write ${steps.NAME.FIELD};"
        " fields are stdout, stderr, rc, json)"),
    ("", "${steps.mee.rc}", "no earlier step has the register 'mee' (did you mean 'me'?)"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "word", "expected"), BAD)
def test_a_wrong_reference_is_told(head: str, word: str, expected: str, problems: Problems) -> None:
    text = head + "\n" + COMMAND + f"  custom_command: ['{word}']\n"
    assert problems(text) == [f"suite.yaml:5:20: {expected}"]


SCOPES = [
    ("matrix: {a: ['${variables.b}']}", "'${variables.b}' cannot be used here (nothing can)"),
    ("variables: {a: '${parameters.b}'}", "'${parameters.b}' cannot be used here (only these can: matrix)"),
    ("parameters: {instance_type: '${steps.me.rc}'}",
        "'${steps.me.rc}' cannot be used here (only these can: matrix, variables)"),
    ("parameters: {postgres_settings: {'${x}': 1}}", "a key cannot have references: '${x}'"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "expected"), SCOPES)
def test_a_reference_may_only_look_back(head: str, expected: str, problems: Problems) -> None:
    (problem,) = problems(head + "\nworkflow: [{step: init}]")
    assert problem.endswith(expected)


def test_a_step_can_refer_to_earlier_steps_only(problems: Problems) -> None:
    steps = "{step: custom_command, register: me, custom_command: ['${steps.me.rc}']}"
    (problem,) = problems(f"workflow: [{steps}]")
    assert problem.endswith(
        "no earlier step has the register 'me' (give an earlier custom_command a 'register')"
    )
    twice = "{step: custom_command, register: me, custom_command: [a]}"
    assert "two steps have the register 'me'" in problems(f"workflow: [{twice}, {twice}]")[0]


def test_one_mistake_is_told_once(problems: Problems) -> None:
    head = "matrix: {bad: 5, worse: [[1]], n: [1, 2]}\nvariables: {v: '${matrix.bad}', w: '${variables.x}'}\n"
    head += "provider: '${variables.v}'\nparameters: {cluster_size: '${variables.w}'}\n"
    step = "{step: '${matrix.worse}'}, '${variables.w}', {step: init, name: '${variables.w}'}"
    found = problems(head + f"workflow: [{step}]\n")
    assert len(found) == 3
    assert problems("workflow: '${variables.x}'") == [
        "suite.yaml:1:11: unknown variable 'x' in '${variables.x}'"
    ]
    assert len(problems("test_suites: {a: .nan, b: {matrix: .nan, workflow: [.nan]}}")) == 3
    assert len(problems("workflow: [{step: custom_command, custom_command: [a, .nan]}]")) == 1


def test_a_matrix_has_limits(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    many = ", ".join(map(str, range(40)))
    (problem,) = problems(f"matrix: {{a: [{many}], b: [{many}]}}\nworkflow: [{{step: init}}]")
    assert "the matrix makes 1600 tests of" in problem
    monkeypatch.setattr(expand, "MOST_VALUES", 10)
    (problem,) = problems("matrix: {a: [1, 2]}\nworkflow: [{step: init}]")
    assert "the matrix makes 2 tests of" in problem


def test_two_tests_cannot_have_one_name(problems: Problems) -> None:
    (problem,) = problems("matrix: {a: [1, '1']}\nworkflow: [{step: init}]")
    assert problem == "suite.yaml:1:9: the matrix makes the test 'suite[a=1]' twice (its values must differ)"
