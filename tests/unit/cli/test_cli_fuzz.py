"""Broken suites through the commands: told or compiled, never a bug, and nothing is made of what was refused."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_desk import REPOSITORY, Desk
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from e2e_ansible.judge.result import RunResult

SUITES = sorted(
    path
    for pattern in ("suites/**/*.*", "tests/data/suites/*", "tests/golden/*/suite.*")
    for path in REPOSITORY.glob(pattern)
)
DOCUMENTS = [yaml.safe_load(path.read_text()) for path in SUITES]
COMMANDS = (("validate",), ("plan", "-o", "plan"), ("run", "--dry-run"))
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # by a terminal
STEPS = [{"step": "deploy"}, {"step": "validate", "checks": ["cluster_status"]}]


def bounded(examples: int) -> settings:
    """So many examples, the same ones every time; a failing one is told as it is, as making it small takes minutes."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def fresh(name: str, content: bytes) -> Iterator[Desk]:
    """A folder with this one file."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        (Path(folder) / "desk").mkdir()
        patch.chdir(Path(folder) / "desk")
        patch.setenv("E2E_ANSIBLE_HOME", str(Path(folder) / "home"))
        patch.setenv("COLUMNS", "200")
        patch.setenv("E2E_BUDGET", "cpus=none,memory_gb=none")
        patch.setenv("E2E_PGDG_MIRROR", "http://127.0.0.1:1")
        Path(name).write_bytes(content)
        yield Desk(Path(folder) / "desk")
        assert not (Path(folder) / "home").exists(), "something was started"


def told(name: str, content: bytes) -> set[int]:
    """The exit codes of all commands about this file, each seen to be right."""
    with fresh(name, content) as desk:
        return {one_command(desk, name, command) for command in COMMANDS}


def one_command(desk: Desk, name: str, command: tuple[str, ...]) -> int:
    done = desk.call(*command, name)
    if done.code == 0:
        assert (done.out != "", done.err) == (True, "")
    else:
        # The machine is not what the suite requires, or its provider lacks something here.
        lacking = command[0] in ("plan", "run") and done.code == 4 and "nothing was started" in done.err
        assert done.code == 2 or lacking, done
        assert done.out == ""
        assert done.err.strip()
        assert [path.name for path in desk.folder.iterdir() if path.name != "plan"] == [name]
        assert not OBEYED.search(done.err)
    return done.code


def dumped(document: Any, name: str) -> bytes:
    """A document as the bytes of a file."""
    if name.endswith(".json"):
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
    text: str = yaml.dump(document, allow_unicode=True, sort_keys=False)
    return text.encode("utf-8", "surrogatepass")


# ---- values of any kind at any place

ODD_TEXTS = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "a\tb\r\n",
        "n11",
        "n12",
        "${matrix.a}",
        "${",
        "$${x}",
        "${steps.x.rc}",
        "{{ 7*7 }}",
        "{% raw %}",
        "'\"`$(id)",
        "x" * 5000,
        "\u202e\u2066abc",
        "\x1b[31mred",
        "🐘" * 50,
        "e\u0301",
        "\ufeff",
        "../../etc/passwd",
        "/",
        "a/b",
        "true",
        "1e3",
        "node_status:n11:stopped",
        "!unsafe x",
        "- a\n- b",
    ]
)
ODD_NUMBERS = st.sampled_from(
    [0, -1, 10**9, 10**18, -(10**40), 1e308, float("inf"), float("nan"), 0.1, 2**63]
)
SCALARS = st.none() | st.booleans() | ODD_NUMBERS | ODD_TEXTS | st.integers() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXTS | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every key or index with what it is in."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@bounded(70)
@given(st.data())
def test_a_suite_with_values_of_any_kind_at_any_place(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(list(places(document)) or [({}, "x")]))
        match data.draw(st.sampled_from(["replace", "replace", "drop", "double", "swap"])):
            case "replace":
                holder[key] = data.draw(VALUES)
            case "drop" if holder:
                del holder[key]
            case "double" if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            case _:
                others = list(places(document)) or [({"x": None}, "x")]
                holder[key] = copy.deepcopy(
                    data.draw(st.sampled_from([there[where] for there, where in others]))
                )
    told("suite.yaml", dumped(document, "suite.yaml"))


@bounded(90)
@given(st.data())
def test_a_suite_with_broken_bytes(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(SUITES))
    told("suite" + path.suffix, damaged(data, path.read_bytes()))


RECORDED = [
    "run.json",
    *(f"tests/survives/{name}" for name in ("journal.jsonl", "events.jsonl", "plan/plan.json")),
]


@bounded(80)
@given(st.data())
def test_a_run_folder_with_broken_bytes(data: st.DataObject) -> None:
    with fresh("suite.yaml", b"") as desk:
        run = desk.folder / desk.a_run("survives")
        file = run / data.draw(st.sampled_from(RECORDED))
        file.write_bytes(damaged(data, file.read_bytes()))
        done = desk.call("report", str(run), "--json")
        if done.out:
            result = RunResult.model_validate_json(done.out)
            assert (done.code, done.err) == (result.exit_code, "")
            assert RunResult.model_validate_json((run / "result.json").read_bytes()) == result
        else:
            assert (done.code, len(done.err.splitlines())) == (5, 1)
            assert not OBEYED.search(done.err)


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    """The bytes with one to three things done to them."""
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(content)))
        end = min(len(content), begin + data.draw(st.integers(0, 40)))
        match data.draw(st.sampled_from(["cut", "drop", "double", "insert", "flip"])):
            case "cut":
                del content[begin:]
            case "drop":
                del content[begin:end]
            case "double":
                content[begin:begin] = content[begin:end] * 3
            case "insert":
                content[begin:begin] = data.draw(st.binary(max_size=6) | st.sampled_from(MARKS))
            case _ if begin < len(content):
                content[begin] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(content)


MARKS = [
    mark.encode()
    for mark in ("*a ", "&a ", "<<: ", "!!python/object:os.system ", "? ", "- ", ": ", "|\n", "\t", "}")
]
DEEP = 30_000
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{name}'] * 9)}]\n"
    for name, after in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE: dict[str, tuple[str, bytes]] = {
    "deep lists": ("suite.yaml", b"workflow: " + b"[" * DEEP),
    "deep lists that end": ("suite.json", b'{"workflow": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "deep mappings": ("suite.yaml", b"workflow: " + b"{a: " * DEEP),
    "deep indents": ("suite.yaml", b"".join(b" " * level + b"a:\n" for level in range(2_000))),
    "a bomb of aliases": ("suite.yaml", f"{BOMB}workflow: *i\n".encode()),
    "a bomb below variables": (
        "suite.yaml",
        f"variables:\n{BOMB}workflow: []\n".replace("\n", "\n  ").encode(),
    ),
    "an alias of itself": ("suite.yaml", b"workflow: &a [*a]\n"),
    "a merge of itself": ("suite.yaml", b"workflow: &a [{<<: *a, step: deploy}]\n"),
    "a huge number": (
        "suite.json",
        b'{"workflow": [{"step": "deploy", "timeout_seconds": ' + b"9" * 5_000 + b"}]}",
    ),
    "a huge exponent": ("suite.json", b'{"workflow": [{"step": "deploy", "timeout_seconds": 1e999999999}]}'),
    "base 60": ("suite.yaml", b"workflow: [{step: deploy, timeout_seconds: " + b"1:" * 9_000 + b"1}]"),
    "Python objects": ("suite.yaml", b"workflow: !!python/object/apply:os.system ['touch made']\n"),
    "a tag": ("suite.yaml", b"workflow: !vault [1]\n"),
    "two documents": ("suite.yaml", b"workflow: []\n---\nworkflow: []\n"),
    "the same key twice": ("suite.json", b'{"workflow": [], "workflow": [{"step": "deploy"}]}'),
    "UTF-16": ("suite.yaml", "workflow: [{step: deploy}]".encode("utf-16")),
    "half a surrogate pair": ("suite.json", b'{"workflow": [{"step": "deploy", "description": "\\ud800"}]}'),
    "NUL": ("suite.json", b'{"workflow": [{"step": "custom_command", "custom_command": ["a\\u0000b"]}]}'),
    "escapes for terminals": ("suite.json", b'{"workflow": [{"step": "\\u001b[2J\\u001b]0;x\\u0007"}]}'),
    "an enormous matrix": (
        "suite.json",
        json.dumps({"matrix": {c: list(range(99)) for c in "abcdef"}, "workflow": STEPS}).encode(),
    ),
    "a hundred thousand steps": (
        "suite.json",
        json.dumps({"workflow": [{"step": "deplo"}] * 100_000}).encode(),
    ),
    "a name that climbs": (
        "suite.json",
        json.dumps({"test_suites": {"../../made": {"workflow": STEPS}}}).encode(),
    ),
    "a step that climbs": (
        "suite.json",
        json.dumps({"workflow": [{"step": "deploy", "name": "../../made"}]}).encode(),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused(name: str) -> None:
    assert told(*HOSTILE[name]) == {2}


LIMITS: dict[str, dict[str, Any]] = {
    "the longest name": {"test_suites": {"n" * 80: {"workflow": STEPS}}},
    "names that differ in what folders do not show": {
        "test_suites": {name: {"workflow": STEPS} for name in ("a.b", "a_b", "A-B", "a-b-2")}
    },
    "descriptions like options": {
        "description": "--help",
        "workflow": [{"step": "deploy", "description": "-v"}],
    },
    "as many nodes as can be": {"parameters": {"cluster_size": 99}, "workflow": STEPS},
    "hundreds of steps": {"workflow": [*STEPS, *[{"step": "validate", "checks": ["cluster_status"]}] * 400]},
    "text that a template would be": {
        "variables": {"x": "{{ lookup('pipe', 'touch made') }}"},
        "description": "{{ 7*7 }} ${variables.x}",
        "workflow": [{"step": "deploy", "description": "${variables.x}\n---\n- hosts: all"}],
    },
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("file", ["suite.yaml", "suite.json"])
def test_what_is_strange_but_right_is_compiled(name: str, file: str) -> None:
    assert told(file, dumped(LIMITS[name], file)) == {0}


# ---- text of users is data

ACTS = [
    "touch made",
    "$(touch made)",
    "`touch made`",
    "; touch made",
    "\ntouch made\n",
    "| touch made",
    "&& touch made",
]
TEMPLATES = [
    "{{ lookup('pipe', 'touch made') }}",
    "{% set x = lookup('pipe', 'touch made') %}{{ x }}",
    "{{ '{{' }} lookup('pipe', 'touch made') }}",
    "#jinja2: variable_start_string:'[['\n[[ lookup('pipe', 'touch made') ]]",
    "{{ omit }}",
    "!vault |",
]
ODD = [
    "",
    " ",
    "'",
    '"',
    "\\",
    "\n",
    "\r\n",
    "\t",
    "~",
    "no",
    "0x10",
    "$HOME",
    "${HOME}",
    "%s",
    "*",
    "-x",
    "🐘",
    "\x85",
]
TEXTS = st.lists(st.sampled_from([*ACTS, *TEMPLATES, *ODD]), min_size=1, max_size=4).map("".join)
PRINT = "import json, sys; print(json.dumps(sys.argv[1:]), file=open('out', 'w'))"


@bounded(4)
@given(st.lists(TEXTS, min_size=20, max_size=30))
def test_arguments_reach_the_command_as_they_were_written(texts: list[str]) -> None:
    command = [sys.executable, "-c", PRINT, *(text.replace("${", "$${") for text in texts)]
    step = {"step": "custom_command", "custom_command": command, "description": texts[0]}
    with fresh("suite.json", json.dumps({"workflow": [step]}).encode()) as desk:
        assert desk.call("plan", "suite.json", "-o", "plan").code == 0
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "playbooks/01-custom-command.yml"],
            cwd=desk.folder / "plan",
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "E2E_SUITE_FOLDER": str(desk.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads((desk.folder / "out").read_text()) == texts
        assert list(desk.folder.rglob("made")) == []
