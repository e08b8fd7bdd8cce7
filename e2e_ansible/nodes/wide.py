"""One process for many hosts: makes ready, with Ansible's own means, the connection that each would have by itself.

All that a connection depends on - variables, configuration, options of the command line, privilege escalation - is
resolved by the very code that Ansible has for it. What is spared is a process per host.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Protocol

from ansible.errors import AnsibleConnectionFailure
from ansible.executor.task_executor import TaskExecutor
from ansible.playbook.play_context import PlayContext
from ansible.template import Templar

from e2e_ansible.engine.wide import Log

__all__ = ["Action", "Unfit", "actions", "run_all", "summary"]

Result = dict[str, Any]
_SHOWN = 10
_MOST = 50  # at the same time: each takes descriptors of one process, which has a thousand
#: What changes how a task is run, or how its result is taken; each host has to have it by itself.
_KEYWORDS = ("delegate_to", "loop", "async_val", "no_log", "timeout", "until", "ignore_unreachable")
_TRANSPORTS = ("ssh", "local")
#: What ssh would have to be told while it runs.
_SECRETS = ("password", "private_key", "pkcs11_provider")


class Action(Protocol):
    """The part of Ansible's ActionBase that is used here."""

    _task: Any
    _loader: Any
    _play_context: Any
    _shared_loader_obj: Any

    def __init__(self, **parts: object) -> None: ...


class Unfit(Exception):
    """A host, or the task, has to go the ordinary way; the text says why."""


def actions(action: Action, variables: Mapping[str, Any]) -> dict[str, Any]:
    """An action of the same kind for every host of the batch, connected as its variables say.

    Raises:
        Unfit: at least one host has something that is not for many at once.
    """
    task = action._task
    keyword = next((name for name in _KEYWORDS if getattr(task, name, None)), None)
    if keyword:
        raise Unfit(f"the task has {keyword}")
    if task.get_play().serial:  # its batches would be one task with several results
        raise Unfit("the play has serial")
    if action._play_context.password or action._play_context.become_pass:
        raise Unfit("a password is used")
    return {name: _made(action, name, variables) for name in variables["ansible_play_batch"]}


def _made(action: Action, name: str, variables: Mapping[str, Any]) -> Any:
    try:
        way = _Way(action, name, variables["hostvars"])
        reason = _reason(way.connection)
    except Exception as error:  # the ordinary way tells it, as this host's own failure
        raise Unfit(f"{name}: {error}") from error
    if reason:
        raise Unfit(f"{name}: {reason}")
    return way.action


def _reason(connection: Any) -> str:
    if connection.transport not in _TRANSPORTS:
        return f"the connection is {connection.transport}"
    if connection.transport == "ssh" and any(connection.get_option(name) for name in _SECRETS):
        return "ssh needs a secret"
    become = connection.become
    if become and (become.name != "sudo" or become.get_option("become_pass")):
        return f"{become.name} may ask for a password"
    return ""


class _Way:
    """The way to one host; follows the steps of Ansible's task executor up to the action itself."""

    def __init__(self, action: Action, name: str, hostvars: Any) -> None:
        task, loader, manager = action._task, action._loader, hostvars._variable_manager
        play, host = task.get_play(), hostvars._inventory.get_host(name)
        variables = manager.get_vars(play=play, host=host, task=task)
        templar = Templar(loader=loader, variables=variables)
        context = PlayContext(play=play).set_task_and_variable_override(task, variables, templar)
        context.post_validate(templar=templar)
        loaders = action._shared_loader_obj
        executor = TaskExecutor(host, task, variables, context, loader, loaders, None, manager)
        kind = templar.template(variables.get("ansible_connection") or task.connection)
        self.connection = executor._connection = executor._get_connection(variables, templar, kind)
        executor._set_connection_options(variables, templar)
        self.action = type(action)(
            task=task,
            connection=self.connection,
            play_context=context,
            loader=loader,
            templar=templar,
            shared_loader_obj=loaders,
        )


def run_all(jobs: Mapping[str, Callable[[], Result]], at_once: int, log: Log) -> dict[str, Result]:
    """Every job, some at the same time; each has a result, also when it could not be done."""
    with ThreadPoolExecutor(max_workers=max(1, min(at_once, _MOST))) as pool:
        under_way = {
            host: pool.submit(copy_context().run, _job, host, job, log) for host, job in jobs.items()
        }
        return {host: future.result() for host, future in under_way.items()}


def _job(host: str, job: Callable[[], Result], log: Log) -> Result:
    begun = time.time()
    log.begun(host)
    result = _outcome(job)
    log.ended(host, result, begun)
    return result


def _outcome(job: Callable[[], Result]) -> Result:
    try:
        return job()
    except AnsibleConnectionFailure as error:
        return {"unreachable": True, "changed": False, "msg": f"Task failed: {error}"}
    except Exception as error:  # one host's trouble is not the others'
        return {"failed": True, "changed": False, "msg": f"Task failed: {error}"}


def summary(results: Mapping[str, Result]) -> Result:
    """What the task itself says."""
    unreachable = [host for host, result in results.items() if result.get("unreachable")]
    failed = [host for host, result in results.items() if result.get("failed")]
    bad = [*failed, *unreachable]
    said = [f"done on {len(results) - len(bad)} of {len(results)} hosts"]
    said.extend(f"{host}: {_short(results[host])}" for host in bad[:_SHOWN])
    said.extend([f"and {len(bad) - _SHOWN} more"] if len(bad) > _SHOWN else [])
    return {
        "changed": len(unreachable) < len(results),
        "failed": bool(bad),
        "failed_hosts": failed,
        "unreachable_hosts": unreachable,
        "msg": "; ".join(said),
    }


def _short(result: Result) -> str:
    parts: Iterable[object] = (result.get(key) for key in ("msg", "stderr", "stdout"))
    return " ".join(" ".join(map(str, filter(None, parts))).split())[:200]
