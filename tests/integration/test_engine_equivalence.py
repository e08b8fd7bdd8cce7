"""The gate of the warm engine: a project that uses much of Ansible gives the same events cold and warm."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.compile.compiler import ANSIBLE_CFG
from e2e_ansible.content import content_files, content_root
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Cancel, Engine, Outcome, PlayRequest
from e2e_ansible.engine.runner import RunnerEngine
from e2e_ansible.engine.warm.engine import WarmEngine

TORTURE = Path(__file__).parents[1] / "data" / ".torture"
#: What is another one each time a playbook is run, also by the same engine.
CHANGING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*|\d:\d\d:\d\d\.\d+|j?\d+\.\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+"
    r"|/[^\s\"']*/(?:tmp|home|content)/[^\s\"']*|\b\d{3,}\b"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torture") / "project"
    shutil.copytree(TORTURE, folder)
    (folder / "artifacts").mkdir()
    for file in content_files():
        (folder / "content" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(content_root() / file, folder / "content" / file)
    vault = f"[defaults]\nvault_password_file = {folder}/vault.pass\n"
    (folder / "ansible.cfg").write_text(ANSIBLE_CFG.replace("[defaults]\n", vault))
    return folder


@pytest.fixture(scope="module")
def warm(project: Path) -> Iterator[WarmEngine]:
    engine = WarmEngine((project / "ansible.cfg").read_text(), content_root(), content_files())
    yield engine
    engine.close()


def play(
    engine: Engine, project: Path, playbook: str = "site.yml", **more: Any
) -> tuple[Outcome, list[Event]]:
    request = PlayRequest(
        project=project,
        playbook=playbook,
        inventory="inventory.ini",
        artifacts=project / "artifacts",
        deadline_seconds=120,
        token="torture",
        environment={"TORTURE": "of the environment"},
        **more,
    )
    events: list[Event] = []
    return engine.run(request, events.append, Cancel()), events


def normal(events: list[Event]) -> list[str]:
    """Events as text without what changes, in an order that does not depend on which worker was first.

    How often something is polled, and told again where that is asked for, depends on the time that there was.
    """
    told = [event for event in events if event.kind is not Kind.ASYNC_POLL]
    lines = [
        (event.kind, CHANGING.sub("#", f"{event.kind.value} {event.task} {event.host} {_text(event.data)}"))
        for event in told
    ]
    once = {line for kind, line in lines if kind is Kind.VERBOSE}
    return sorted([*once, *(line for kind, line in lines if kind is not Kind.VERBOSE)])


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, default=str)


@pytest.fixture(scope="module")
def warm_twice(project: Path, warm: WarmEngine) -> list[tuple[Outcome, list[Event]]]:
    return [play(warm, project) for _ in "ab"]


def test_everything_is_the_same_cold_and_warm(
    project: Path, warm_twice: list[tuple[Outcome, list[Event]]]
) -> None:
    cold_outcome, cold_events = play(RunnerEngine(), project)
    for outcome, events in warm_twice:
        assert (outcome.why, outcome.engine) == ("", "warm")
        assert (outcome.ended, outcome.rc) == (cold_outcome.ended, cold_outcome.rc) == ("completed", 2)
        assert normal(events) == normal(cold_events)
    assert len(cold_events) > 150


def test_the_torture_reaches_what_it_means_to(warm_twice: list[tuple[Outcome, list[Event]]]) -> None:
    _, events = warm_twice[0]
    text = "\n".join(normal(events))
    for wanted in (
        "everybody, first group, host b, yes",
        "a level"[::-1],
        "QUIET",
        "'acted': 'c'".replace("'", '"'),
        "rendered for b: from the defaults",
        "handled",
        "nobody",
        "ansible_pkg_mgr",
        "of the environment",
        "on purpose",
        "c fails",
        "runner_on_async_ok",
        "runner_retry",
    ):
        assert wanted in text, wanted
    assert '"msg": "hidden"' not in text


@pytest.mark.parametrize(
    "content",
    [
        "- hosts: [",
        "- hosts: all\n  tasks:\n    - name: No such module\n      nothing.like.it:\n",
        "---\nnot a play\n",
    ],
)
def test_broken_playbooks_fail_the_same_way(project: Path, warm: WarmEngine, content: str) -> None:
    (project / "broken.yml").write_text(content)
    cold, cold_events = play(RunnerEngine(), project, "broken.yml")
    outcome, events = play(warm, project, "broken.yml")
    assert (outcome.ended, outcome.rc) == (cold.ended, cold.rc)
    assert normal(events) == normal(cold_events)


@pytest.mark.parametrize("more", [{"verbosity": 3, "limit": "b"}, {"limit": "nobody"}])
def test_arguments_reach_the_child(project: Path, warm: WarmEngine, more: dict[str, Any]) -> None:
    cold, cold_events = play(RunnerEngine(), project, **more)
    outcome, events = play(warm, project, **more)
    assert (outcome.engine, outcome.ended, outcome.rc) == ("warm", cold.ended, cold.rc)
    assert normal(events) == normal(cold_events)


def test_every_playbook_has_ids_of_its_own(warm_twice: list[tuple[Outcome, list[Event]]]) -> None:
    first, second = (
        {event.data["task_uuid"] for event in events if "task_uuid" in event.data} for _, events in warm_twice
    )
    assert first
    assert first.isdisjoint(second)
