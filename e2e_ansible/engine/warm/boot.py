"""Loads what every playbook loads, in the parent, before there is any playbook."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__all__ = ["boot"]

#: The releases whose inner names this program uses; others are run cold until somebody has looked.
_KNOWN = {"ansible": "2.19.", "ansible_runner": "2.4."}
_MODULES = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.playbook.handler_task_include",
    "ansible.plugins.action.normal",
    "multiprocessing.popen_fork",
    "multiprocessing.synchronize",
    "e2e_ansible.nodes.power",
    "e2e_ansible.nodes.provisioning",
    "e2e_ansible.providers.local.driver",
)
#: Kinds of plugins of which every playbook loads all, only for their documented options.
_WHOLE = ("connection_loader", "shell_loader", "become_loader")
#: Plugins that almost every playbook loads, by the loader that finds them. Vars plugins are left alone: loading them
#: here would keep Ansible from priming them, and then children would not see group_vars and host_vars. So is
#: ansible-runner's callback: it binds the folder of its events, and turns messages into events from then on.
_CLASSES: Mapping[str, Sequence[str]] = {
    "callback_loader": ("default", "junit", "minimal", "oneline", "tree"),
    "inventory_loader": ("ini", "yaml"),
    "cache_loader": ("memory", "jsonfile"),
    "strategy_loader": ("linear",),
    "action_loader": (
        "command",
        "debug",
        "set_fact",
        "assert",
        "fail",
        "include_tasks",
        "raw",
        "script",
        "copy",
    ),
    "lookup_loader": ("env", "file"),
}
_OPTIONS_ONLY = {"vars_loader": "host_group_vars", "callback_loader": "awx_display"}
_FUNCTIONS: Mapping[str, Sequence[str]] = {
    "filter_loader": ("default", "bool", "string", "ternary", "quote", "to_json"),
    "test_loader": ("defined", "failed", "skipped", "changed"),
}


def boot() -> None:
    """Import Ansible and load its common plugins.

    Raises:
        SystemExit: this is a release that the warm engine does not know.
    """
    _check_versions()
    _load()
    gc.collect()
    gc.freeze()


def _check_versions() -> None:
    import ansible.release

    found = {"ansible": ansible.release.__version__, "ansible_runner": version("ansible-runner")}
    for name, prefix in _KNOWN.items():
        if not found[name].startswith(prefix):
            raise SystemExit(f"{name} {found[name]} is not known to the warm engine")


def _load() -> None:
    for module in _MODULES:
        import_module(module)
    from ansible.plugins import loader

    loader.init_plugin_loader()
    # Once is enough: a child that asks again would only be warned that it was done.
    vars(loader)["_configure_collection_loader"] = lambda prefix: None
    for plugins in _WHOLE:
        list(getattr(loader, plugins).all(class_only=True))
    for plugins, names in (*_CLASSES.items(), *_configured()):
        for name in names:
            getattr(loader, plugins).get(name, class_only=True)
    for plugins, names in _FUNCTIONS.items():
        for name in names:
            getattr(loader, plugins).get(name)
    for plugins, name in _OPTIONS_ONLY.items():
        _load_options(getattr(loader, plugins), name)
    _keep_parser()
    _render_once()


def _load_options(plugins: Any, name: str) -> None:
    """Read the documented options of a plugin, which is most of what loading it costs, without importing it."""
    path = next(place for place in _files(plugins) if place.stem == name)
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            module = SimpleNamespace(DOCUMENTATION=ast.literal_eval(node.value))
            plugins._load_config_defs(name, module, str(path))


def _files(plugins: Any) -> Iterator[Path]:
    """Where its plugins may be. Asking the loader of vars plugins itself would switch group_vars off."""
    builtin = Path(import_module(plugins.package).__file__ or "").parent
    for folder in (builtin, *map(Path, plugins.config or ())):
        yield from folder.glob("*.py")


def _keep_parser() -> None:
    """Build the parser of the command line once; it depends on nothing but the configuration."""
    from ansible.cli.playbook import PlaybookCLI

    command = PlaybookCLI(["ansible-playbook"])
    command.init_parser()
    PlaybookCLI.init_parser = lambda self: setattr(self, "parser", command.parser)


def _configured() -> Iterator[tuple[str, list[str]]]:
    """The plugins in the folders that the configuration names."""
    from ansible import constants

    for plugins, folders in (
        ("action_loader", constants.DEFAULT_ACTION_PLUGIN_PATH),
        ("inventory_loader", constants.DEFAULT_INVENTORY_PLUGIN_PATH),
    ):
        yield plugins, [path.stem for folder in folders for path in Path(folder).glob("*.py")]


def _render_once() -> None:
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar, trust_as_template

    Templar(loader=DataLoader(), variables={"word": "warm"}).template(trust_as_template("{{ word }}"))
