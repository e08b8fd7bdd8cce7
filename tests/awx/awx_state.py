"""The objects of a server that answers as AWX does, with its rules for names, references and prompts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from awx_rules import PROJECT, offered

Object = dict[str, Any]

#: What AWX gives an object beside what was posted.
_DEFAULTS: Mapping[str, Object] = {
    "organizations": {},
    "projects": {
        "scm_type": "",
        "scm_url": "",
        "scm_branch": "",
        "scm_refspec": "",
        "scm_clean": False,
        "scm_delete_on_update": False,
        "scm_track_submodules": False,
        "scm_update_on_launch": False,
        "scm_update_cache_timeout": 0,
        "allow_override": False,
        "timeout": 0,
        "local_path": "",
        "credential": None,
        "status": "successful",
        "scm_revision": "",
    },
    "inventories": {"kind": "", "host_filter": None, "variables": ""},
    "inventory_sources": {
        "source": "scm",
        "source_path": "",
        "source_vars": "",
        "source_project": None,
        "overwrite": False,
        "overwrite_vars": False,
        "update_on_launch": False,
        "update_cache_timeout": 0,
        "timeout": 0,
        "verbosity": 1,
    },
    "credential_types": {"kind": "cloud", "inputs": {}, "injectors": {}, "managed": False},
    "credentials": {"inputs": {}},
    "execution_environments": {"image": "", "pull": ""},
    "job_templates": {
        "job_type": "run",
        "inventory": None,
        "project": None,
        "playbook": "",
        "extra_vars": "---",
        "limit": "",
        "timeout": 0,
        "forks": 0,
        "verbosity": 0,
        "survey_enabled": False,
        "ask_limit_on_launch": False,
        "ask_variables_on_launch": False,
        "ask_timeout_on_launch": False,
        "ask_inventory_on_launch": False,
        "ask_credential_on_launch": False,
        "ask_job_type_on_launch": False,
        "allow_simultaneous": False,
        "become_enabled": False,
        "execution_environment": None,
    },
    "workflow_job_templates": {
        "extra_vars": "---",
        "survey_enabled": False,
        "ask_variables_on_launch": False,
        "ask_limit_on_launch": False,
        "allow_simultaneous": False,
        "inventory": None,
        "limit": None,
    },
    "workflow_job_template_nodes": {
        "extra_data": {},
        "timeout": None,
        "all_parents_must_converge": False,
        "success_nodes": [],
        "failure_nodes": [],
        "always_nodes": [],
    },
    "project_updates": {"status": "successful"},
    "jobs": {},
    "workflow_jobs": {},
    "labels": {},
    "users": {"username": ""},
}
_TYPES = {name: name.removesuffix("s") for name in _DEFAULTS} | {"inventories": "inventory"}
_NEEDED = {
    "projects": ("name",),
    "inventories": ("name", "organization"),
    "inventory_sources": ("name", "inventory"),
    "job_templates": ("name", "playbook", "project"),
    "credential_types": ("name", "kind"),
}
_UNIQUE_BY = {"inventory_sources": "inventory"}
_TEMPLATES = ("job_templates", "workflow_job_templates", "projects", "inventory_sources")
_EDGES = ("success_nodes", "failure_nodes", "always_nodes")
_NO_NAMES = ("project_updates", "workflow_job_template_nodes", "jobs", "workflow_jobs", "users")


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, content: Object) -> None:
        super().__init__(str(content))
        self.status = status
        self.content = content


def moment() -> str:
    """The present in the form of AWX, which ends in Z."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"


class State:
    """All objects by kind and number."""

    def __init__(self, prefix: str, lock: threading.RLock) -> None:
        self.prefix = prefix
        self.lock = lock
        self.objects: dict[str, dict[int, Object]] = {kind: {} for kind in _DEFAULTS}
        self.relations: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[int, Object] = {}
        self.job_nodes: dict[int, list[Object]] = {}
        self._last = 0
        self.create("organizations", {"name": "Default"})

    def number(self) -> int:
        self._last += 1
        return self._last

    def each(self, kind: str) -> list[Object]:
        if kind == "unified_job_templates":
            return [each for name in _TEMPLATES for each in self.objects[name].values()]
        return list(self.objects[kind].values())

    def get(self, kind: str, number: int) -> Object:
        return self.objects[kind][number]

    def named(self, kind: str, name: str) -> Object:
        (found,) = [each for each in self.objects[kind].values() if each.get("name") == name]
        return found

    def create(self, kind: str, asked: Mapping[str, Any]) -> Object:
        for name in _NEEDED.get(kind, ()):
            if not asked.get(name):
                raise Refused(400, {name: ["This field is required."]})
        self._refuse_taken(kind, asked, None)
        number = self.number()
        url = f"{self.prefix}{kind}/{number}/"
        made = {
            "id": number,
            "type": _TYPES[kind],
            "url": url,
            "name": "",
            "description": "",
            "organization": None,
            "created": moment(),
            "related": {"survey_spec": f"{url}survey_spec/", "launch": f"{url}launch/"},
            "summary_fields": {},
            **json.loads(json.dumps(_DEFAULTS[kind])),
            **asked,
        }
        self.objects[kind][number] = self._completed(kind, made)
        return made

    def _completed(self, kind: str, made: Object) -> Object:
        for key in ("inventory", "project", "organization", "unified_job_template", "source_project"):
            if isinstance(made.get(key), str):
                made[key] = int(made[key])
        if kind in ("job_templates", "inventory_sources"):
            there = self.objects["projects" if kind == "job_templates" else "inventories"]
            parent = there.get(made["project" if kind == "job_templates" else "inventory"])
            if parent is None:
                raise Refused(400, {"detail": "Invalid pk - object does not exist."})
            made["organization"] = parent["organization"]
        if kind == "job_templates" and made["playbook"] not in offered(PROJECT):
            raise Refused(400, {"playbook": ["Playbook not found for project."]})
        if kind == "projects" and made["scm_url"] and not made["scm_revision"]:
            update = self.create("project_updates", {"name": made["name"]})
            made["scm_revision"] = "0" * 40
            made["summary_fields"] = {"current_update": {"id": update["id"], "status": "successful"}}
        return made

    def _refuse_taken(self, kind: str, asked: Mapping[str, Any], own: int | None) -> None:
        if kind in _NO_NAMES:
            return
        scope = _UNIQUE_BY.get(kind, "")
        for each in self.objects[kind].values():
            same = each["name"] == asked.get("name") and (not scope or each[scope] == asked.get(scope))
            if same and each["id"] != own:
                words = f"{_TYPES[kind]} with this name already exists."
                raise Refused(400, {"__all__": [words]})

    def change(self, kind: str, number: int, asked: Mapping[str, Any]) -> Object:
        found = self.objects[kind][number]
        self._refuse_taken(kind, {**found, **asked}, number)
        found.update(asked)
        found["modified"] = moment()
        return self._completed(kind, found)

    def remove(self, kind: str, number: int) -> None:
        del self.objects[kind][number]
        if kind == "workflow_job_template_nodes":
            for node in self.objects[kind].values():
                for edge in _EDGES:
                    node[edge] = [each for each in node[edge] if each != number]

    # ---- what belongs to an object

    def related(self, kind: str, number: int, relation: str) -> list[Object]:
        self.get(kind, number)
        if (kind, relation) == ("workflow_job_templates", "workflow_nodes"):
            nodes = self.objects["workflow_job_template_nodes"].values()
            return [each for each in nodes if each["workflow_job_template"] == number]
        if (kind, relation) == ("workflow_jobs", "workflow_nodes"):
            return self.job_nodes[number]
        if kind == "workflow_job_template_nodes" and relation in _EDGES:
            return [self.objects[kind][each] for each in self.objects[kind][number][relation]]
        return [self.objects[relation][each] for each in self.relations.get((kind, number, relation), [])]

    def relate(self, kind: str, number: int, relation: str, asked: Mapping[str, Any]) -> Object | None:
        self.get(kind, number)
        if (kind, relation) == ("workflow_job_templates", "workflow_nodes"):
            self._refuse_prompts(asked)
            return self.create("workflow_job_template_nodes", {"workflow_job_template": number, **asked})
        if kind == "workflow_job_template_nodes" and relation in _EDGES:
            there = self.objects[kind][number][relation]
            self.get(kind, int(asked["id"]))
        else:
            there = self.relations.setdefault((kind, number, relation), [])
        if asked.get("disassociate"):
            there.remove(int(asked["id"]))
        elif int(asked["id"]) not in there:
            there.append(int(asked["id"]))
        return None

    def _refuse_prompts(self, asked: Mapping[str, Any]) -> None:
        """A node may only say what its template prompts for; a workflow never does for a timeout."""
        number = asked["unified_job_template"]
        template = next(each for each in self.each("unified_job_templates") if each["id"] == number)
        for field, prompt in (
            ("timeout", "ask_timeout_on_launch"),
            ("extra_data", "ask_variables_on_launch"),
        ):
            if asked.get(field) and not template.get(prompt) and not self.questions(template):
                raise Refused(400, {field: ["Field is not configured to prompt on launch."]})

    # ---- launching

    def questions(self, template: Mapping[str, Any]) -> dict[str, Object]:
        """The questions of the survey by variable."""
        spec = self.surveys.get(template["id"], {}) if template["survey_enabled"] else {}
        return {each["variable"]: each for each in spec.get("spec", [])}

    def launch_needs(self, kind: str, number: int) -> Object:
        template = self.objects[kind][number]
        needed = [
            name
            for name, question in self.questions(template).items()
            if question.get("required") and question.get("default") in ("", None)
        ]
        asks = {key: value for key, value in template.items() if key.startswith("ask_")}
        return {
            **asks,
            "survey_enabled": template["survey_enabled"],
            "variables_needed_to_start": needed,
            "can_start_without_user_input": not needed and not any(asks.values()),
            "defaults": {"limit": template.get("limit"), "extra_vars": template.get("extra_vars")},
        }
