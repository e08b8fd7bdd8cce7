"""All load tools by name: built in, from entry points (group `e2e_ansible.loads`), and registered by hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.load.base import LoadOutput, LoadTool
from e2e_ansible.load.result import LoadResult

__all__ = ["ENTRY_POINT_GROUP", "is_built_in", "load_tools", "read", "register"]

ENTRY_POINT_GROUP = "e2e_ansible.loads"

#: Modules below `e2e_ansible.load`, each with a tool named `TOOL`.
_BUILT_IN = ("pgbench", "stroppy")
_registered: dict[str, LoadTool] = {}


def register(tool: type[LoadTool]) -> type[LoadTool]:
    """Add a load tool; usable as a class decorator.

    Raises:
        UsageError: another tool has this name.
    """
    known = load_tools().get(tool.name)
    if known is not None and type(known).__qualname__ != tool.__qualname__:
        raise UsageError(f"a load tool named {tool.name!r} exists already")
    _registered[tool.name] = tool()
    return tool


def load_tools() -> Mapping[str, LoadTool]:
    """Every load tool by name.

    Raises:
        HarnessError: an installed package brings a tool that cannot be used; the message names it.
    """
    return {**_built_in(), **_from_entry_points(), **_registered}


def is_built_in(name: str) -> bool:
    """Whether any judge can read what this tool has printed."""
    return name in _built_in()


def read(output: LoadOutput) -> LoadResult:
    """What a tool measured; of one that is not known, or that raises, a result that is not complete and says so."""
    tool = load_tools().get(output.tool)
    if tool is None:
        return _unread(output, f"there is no load tool {output.tool!r} here that can read its output")
    try:
        result: object = tool.read(output)
    except Exception as error:
        return _unread(output, f"its reader raised {type(error).__name__}: {error}")
    if not isinstance(result, LoadResult):
        return _unread(output, f"its reader returned {type(result).__name__}, not a LoadResult")
    return result


def _unread(output: LoadOutput, why: str) -> LoadResult:
    return LoadResult(
        tool=output.tool,
        workload=output.workload,
        host=output.host,
        started=output.started,
        exit_code=output.exit_code,
        meaning=why,
    )


@lru_cache(maxsize=1)
def _built_in() -> Mapping[str, LoadTool]:
    found: dict[str, LoadTool] = {}
    for name in _BUILT_IN:
        tool = import_module(f"e2e_ansible.load.{name}").TOOL
        found[tool.name] = tool
    return found


@lru_cache(maxsize=1)
def _from_entry_points() -> Mapping[str, LoadTool]:
    found: dict[str, LoadTool] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        tool = _load(point)
        if tool.name in _built_in() or tool.name in found:
            raise HarnessError(f"{_title(point)} brings a second load tool {tool.name!r}")
        found[tool.name] = tool
    return found


def _load(point: EntryPoint) -> LoadTool:
    try:
        tool = point.load()
    except Exception as error:
        text = f"{_title(point)} cannot be loaded: {type(error).__name__}: {error}"
        raise HarnessError(text, hint="update or remove the package that brings it") from error
    if not (isinstance(tool, type) and issubclass(tool, LoadTool)):
        raise HarnessError(f"{_title(point)} is not a LoadTool")
    made: LoadTool = tool()
    return made


def _title(point: EntryPoint) -> str:
    return f"the entry point {point.name} = {point.value} ({ENTRY_POINT_GROUP})"
