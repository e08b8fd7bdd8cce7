"""Steps that make an artifact or measure a load, as the act of one job, and the verdict that decides its way in AWX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.load import judge_load, load_of
from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.limits import LoadLimits
from e2e_ansible.load.registry import is_built_in
from e2e_ansible.steps.base import CompiledStep
from e2e_ansible.verdict import Verdict

__all__ = ["acted", "beside", "hold_load", "unread"]

_CONTROLLER = "localhost"
_LOAD, _CREATE = "load", "plain_command"
_ARTIFACTS = {"stroppy_program": "program", "package_store": "packages"}
_Found = dict[str, Any]


def acted(made: CompiledStep, plain: Callable[[object], object]) -> _Found:
    """What of a compiled step playbooks/tasks/load.yml or artifact.yml does; empty for other steps.

    `plain` takes away the marks that only the text of a playbook needs. What is said there by a template, such as the
    folder of the suite, is not taken over: the tasks of the job know it.
    """
    tasks = [(play, task) for play in made.plays for task in play.get("tasks", ())]
    for action, field in _ARTIFACTS.items():
        for play, task in tasks:
            if action in task and not play.get("roles"):
                given = {name: value for name, value in task[action].items() if name != "folder"}
                become = bool(play.get("become"))
                return {"act": "artifact", "artifact": {field: plain(given)}, "become": become}
    if made.judgement.load is None:
        return {}
    creating = [(play, task[_CREATE]) for play, task in tasks if _CREATE in task]
    loads = [(play, task[_LOAD]) for play, task in tasks if _LOAD in task]
    makes = {"hosts": _hosts(creating[0][0]), **_plain(plain, creating[0][1])} if creating else {"hosts": []}
    (place,) = _hosts(loads[-1][0])
    return {
        "act": "load",
        "hosts": list(dict.fromkeys((*makes["hosts"], place))),
        "joins": bool(makes["hosts"]) or place != _CONTROLLER,
        "place": place,
        "makes": makes,
        "loads": [_load(plain, task) for _, task in loads],
        "limits": made.judgement.load.model_dump(exclude_none=True),
    }


def _hosts(play: Mapping[str, Any]) -> list[str]:
    hosts = play["hosts"]
    return [hosts] if isinstance(hosts, str) else list(hosts)


def _plain(plain: Callable[[object], object], given: Mapping[str, Any]) -> _Found:
    return {name: plain(value) for name, value in given.items()}


def _load(plain: Callable[[object], object], task: Mapping[str, Any]) -> _Found:
    return {name: value for name, value in _plain(plain, task).items() if name != "copies_from"}


def hold_load(limits: Mapping[str, Any], measured: Mapping[str, Any]) -> _Found:
    """Hold what a load tool measured against its limits, as the judge of a run does.

    `held` is true when it came to its end and keeps to all of them; `said` is a line for what does not hold.

    Raises:
        HarnessError: it is not what the action `load` tells.
    """
    try:
        output, asked = LoadOutput.model_validate(measured), LoadLimits.model_validate(limits)
    except ValidationError as error:
        text = f"what the load tool said cannot be read: {error.error_count()} errors"
        raise HarnessError(text) from error
    verdict, _, said = judge_load(load_of(output, None), asked)
    return {"held": verdict is Verdict.PASS, "said": (said or f"{output.tool} kept to it").splitlines()}


def unread(options: object) -> Iterator[tuple[str, str]]:
    """Why a job cannot judge a load with these options, and what to do."""
    tool = getattr(options, "tool", None)
    if isinstance(tool, str) and not is_built_in(tool):
        text = f"the reader of {tool!r} is code that the jobs of AWX do not have, so none of them could judge the load"
        yield text, "e2e-ansible run"


def beside(options: object) -> str:
    """The option that names files beside the suite; empty if none does."""
    return next((name for name in ("scripts", "copies", "config") if getattr(options, name, None)), "")
