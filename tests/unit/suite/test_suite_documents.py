"""Bytes to values: every way a file can be unreadable is a problem with a place, never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from e2e_ansible.errors import SuiteError
from e2e_ansible.suite import builder, document, yamltext
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.jsontext import _told
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.value import Value, plain, shown


def read(text: str, suffix: str = ".yaml") -> object:
    findings = Findings("f")
    value = document.read_document(text.encode(), suffix, findings)
    findings.raise_if_any()
    assert value is not None
    return plain(value)


def complaints(content: str | bytes, suffix: str = ".yaml") -> list[str]:
    findings = Findings("f")
    document.read_document(content.encode() if isinstance(content, str) else content, suffix, findings)
    with pytest.raises(SuiteError) as raised:
        findings.raise_if_any()
    return [str(problem) for problem in raised.value.problems]


YAML_SCALARS = [
    ("yes", "yes"), ("on", "on"), ("No", "No"), ("true", True), ("FALSE", False), ("~", None), ("", None),
    ("null", None), ("010", 10), ("0o10", 8), ("0x1F", 31), ("1_000", "1_000"), ("12:30", "12:30"), ("-5", -5),
    ("+5", 5), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("1.2.3", "1.2.3"), ("2024-01-01", "2024-01-01"),
    ("'5'", "5"), ('"true"', "true"), ("!!str 5", "5"), ("n12", "n12"), ("0b11", "0b11"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), YAML_SCALARS)
def test_yaml_scalars_are_those_of_yaml_1_2(text: str, expected: object) -> None:
    assert read(f"a: {text}") == {"a": expected}


@pytest.mark.parametrize("loader", ["C", "Python"])
def test_both_yaml_parsers_give_the_same(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if loader == "Python":
        monkeypatch.setattr(yamltext, "_LOADER", yaml.SafeLoader)
    assert read("a: &x [1, {b: 'c'}]\nd: *x\n*y : 3\n".replace("*y ", "e")) == {
        "a": [1, {"b": "c"}],
        "d": [1, {"b": "c"}],
        "e": 3,
    }
    assert complaints("a: [1\nb: 2")[0].startswith("f:2:")


def test_a_byte_order_mark_is_fine() -> None:
    assert read("\ufeffa: 1") == {"a": 1}
    assert read('\ufeff{"a": 1}', ".json") == {"a": 1}


def test_an_alias_stands_where_it_is_used() -> None:
    findings = Findings("f")
    root = document.read_document(b"a: &x\n  - 1\nb:\n  - *x\n", ".yaml", findings)
    assert root is not None
    second = root.data["b"].data[0]  # type: ignore[index,union-attr,call-overload]
    assert (second.line, second.column, second.size) == (4, 5, 2)


BAD_YAML = [
    ("", "f:1:1: the file is empty"),
    (" \n\t\n", "f:1:1: the file is empty"),
    ("# nothing\n", "f:1:1: the file is empty"),
    ("a: 1\na: 2\n", "f:2:1: the key 'a' is here twice (first on line 1)"),
    ("1: 2", "f:1:1: a key must be text, not 1 (put it in quotes)"),
    ("? [a]\n: 1", "f:1:3: a key must be text, not a list"),
    ("a: &x [1]\n*x : 2\n", "f:2:1: a key must be text, not a list"),
    ("a: !foo 1", "f:1:4: YAML tags are not supported: '!foo' (remove it)"),
    ("a: !!int '1'", "f:1:4: YAML tags are not supported: '!!int' (remove it)"),
    ("a: !!python/name:os.system []", "f:1:4: YAML tags are not supported: '!!python/name:os.system' (remove it)"),
    ("a: &x {b: 1}\nc:\n  <<: *x\n", "f:3:3: merge keys ('<<') are not supported (write the keys out)"),
    ("a: *x", "f:1:4: there is no anchor 'x' before this alias"),
    ("a: &x [*x]", "f:1:8: the alias 'x' contains itself"),
    ("a: 1\n---\nb: 2\n", "f:2:1: a second YAML document begins here (one file, one suite)"),
    ("a: .inf", "f:1:4: '.inf' is not a finite number (put it in quotes if it is text)"),
    ("a: -.INF", "f:1:4: '-.INF' is not a finite number (put it in quotes if it is text)"),
    ("a: .nan", "f:1:4: '.nan' is not a finite number (put it in quotes if it is text)"),
    ("a: 1e999", "f:1:4: '1e999' is too big for a number (put it in quotes if it is text)"),
    ('a: "x\\0y"', "f:1:4: text must not contain NUL or half of a surrogate pair"),
    ("a:\n\t- 1\n", "f:2:1: not valid YAML: found character that cannot start any token"
        " (indent with spaces, not with tabs)"),
    ("a: @b", "f:1:4: not valid YAML: found character that cannot start any token (put the text in quotes)"),
    ("a: b: c", "f:1:5: not valid YAML: mapping values are not allowed in this context"
        " (check the indentation, or put text that contains ': ' in quotes)"),
    ("a: 'b\n\nc", "f:3:2: not valid YAML: found unexpected end of stream"
        " (while scanning a quoted scalar, that begins on line 1)"),
    ("[", "f:1:2: not valid YAML: did not find expected node content"),
    ("a: \x07", "f:1:4: the file contains the control character U+0007"),
    ("a: 1\nb: x\0y", "f:2:5: the file contains the control character U+0000"),
    (b"a: 1\nb: \xff", "f:2:4: the file is not UTF-8 (save it as UTF-8)"),
    ("a: 1".encode("utf-16"), "f:1:1: the file is not UTF-8 (it looks like UTF-16; save it as UTF-8)"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), BAD_YAML)
def test_bad_yaml_is_told_with_its_place(content: str | bytes, expected: str) -> None:
    assert complaints(content) == [expected]


def test_an_error_without_a_place_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise yaml.YAMLError

    monkeypatch.setattr(yamltext.yaml, "parse", fail)
    assert complaints("a: 1") == ["f:1:1: not valid YAML: it cannot be read"]


BAD_JSON = [
    ('{"a": 1,}', "f:1:8: not valid JSON: a comma before the end (remove the comma)"),
    ('{"a": [1,]}', "remove the comma"),
    ("{'a': 1}", "JSON wants double quotes"),
    ('{"a": 1 // why\n}', "JSON has no comments; YAML has"),
    ('{"a": 1', "the file ends too early"),
    ('{"a": "b" "c": 1}', "f:1:11: not valid JSON: expecting ',' delimiter (a comma is missing before it)"),
    ('{"a" 1}', "f:1:6: not valid JSON: expecting ':' delimiter"),
    ('{"a": NaN}', "f:1:7: NaN is not a finite number (put it in quotes if it is text)"),
    ('{"a":\n -Infinity}', "f:2:2: -Infinity is not a finite number (put it in quotes if it is text)"),
    ('{"a": 1e999}', "f:1:7: 1e999 is too big for a number (put it in quotes if it is text)"),
    ('{"a": 1, "a": 2}', "f:1:10: the key 'a' is here twice (first on line 1)"),
    ('{"a": "\\ud800"}', "f:1:7: text must not contain NUL or half of a surrogate pair"),
    ('{"a": "\\u0000"}', "f:1:7: text must not contain NUL or half of a surrogate pair"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BAD_JSON)
def test_bad_json_is_told_with_its_place(text: str, expected: str) -> None:
    assert len(complaints(text, ".json")) == 1
    assert expected in complaints(text, ".json")[0]


@pytest.mark.parametrize("pointed", [7, 8])
def test_a_comma_too_many_is_named_wherever_the_parser_points(pointed: int) -> None:
    """3.13 points at the comma, the Pythons before at what follows it."""
    text = '{"a": 1,}'
    told = _told(text, json.JSONDecodeError("Whatever it says", text, pointed))
    assert told == (7, "a comma before the end", "remove the comma")


def test_json_may_be_indented_with_tabs() -> None:
    assert read('{\n\t"a":\t[1, -2, 1.5, true, null, "\\u00e9\\"]"]\r\n}', ".json") == {
        "a": [1, -2, 1.5, True, None, 'é"]']
    }


@pytest.mark.parametrize(
    ("number", "suffix"), [("9" * 5000, ".json"), ("9" * 5000, ".yaml"), ("1." + "0" * 400, ".yaml")]
)
def test_a_number_of_thousands_of_digits_is_refused(number: str, suffix: str) -> None:
    (problem,) = complaints(f'{{"a": {number}}}', suffix)
    assert "is too long for a number" in problem
    assert len(problem) < 200


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("[", "")])
def test_deep_nesting_is_refused(opening: str, closing: str, suffix: str) -> None:
    (problem,) = complaints(opening * 20_000 + "1" + closing * 20_000, suffix)
    assert problem.endswith("nested more than 64 levels deep")


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (problem,) = complaints("\n".join(lines))
    assert "more than 200000 values" in problem


def test_very_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MOST_VALUES", 10)
    assert complaints("[[], [], [], [], [], [], [], [], [], [], []]")[0].startswith(
        "f:1:38: more than 10 values"
    )


def test_the_format_comes_from_the_suffix() -> None:
    (problem,) = complaints("a: 1", ".txt")
    assert problem == "f:1:1: the format is not known from the file's name (suites end in .yml, .yaml, .json)"


def load_problem(path: str | Path) -> str:
    with pytest.raises(SuiteError) as raised:
        load_suite(path)
    (problem,) = raised.value.problems
    return problem.message


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_problem(tmp_path / "none.yaml") == "there is no such file"
    assert load_problem("a\0b.yaml") == "there is no such file"
    assert load_problem(tmp_path) == "this is a folder, not a suite file"
    assert load_problem(tmp_path / ("x" * 300)) == "the file cannot be read: file name too long"
    os.mkfifo(tmp_path / "pipe.yaml")
    assert load_problem(tmp_path / "pipe.yaml") == "this is not a regular file"
    with (tmp_path / "big.yaml").open("wb") as big:
        big.truncate(document.LARGEST + 1)
    assert load_problem(tmp_path / "big.yaml") == "the file is larger than 8 MiB"


def test_the_file_is_named_as_the_user_named_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text("a: 1\na: 2")
    with pytest.raises(SuiteError, match=r"\./s\.yaml:2:1: the key 'a'"):
        load_suite("./s.yaml")


def test_too_many_problems_are_cut() -> None:
    found = complaints("\n".join(f"{n}: x" for n in range(1500)))
    assert len(found) == 1001
    assert found[-1] == "f:1000:1: more than 1000 problems; the rest is not shown"


SHOWN = [
    (None, "nothing"), (True, "true"), ({}, "a mapping"), ([], "a list"), (5, "5"), (10**100, "a huge number"),
    ("a\nb", "'a\\nb'"), (1.5, "1.5"), ("x" * 100, "'" + "x" * 55 + "...'"), (Value("a", 1, 1), "'a'"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), SHOWN)
def test_values_are_shown_short(data: object, expected: str) -> None:
    assert shown(data) == expected
