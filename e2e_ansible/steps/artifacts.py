"""What `build_artifact` and `load_artifact` share: which artifact, and the task that brings it where it is wanted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from e2e_ansible.providers.releases import release_of_test
from e2e_ansible.steps.base import CompileContext, Unsafe
from e2e_ansible.steps.stroppy_install import stroppy_source
from e2e_ansible.suite.model import StepOptions

__all__ = ["SECONDS", "ArtifactOptions", "about", "from_image", "task"]

SECONDS = 1800
_LOCAL = "local"
_SUITE_FOLDER = "{{ lookup('ansible.builtin.env', 'E2E_SUITE_FOLDER', default=playbook_dir) }}"

PackageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]{1,80}$")]


class ArtifactOptions(StepOptions):
    """An artifact, and what it is made of when it is `packages`."""

    artifact: Literal["stroppy", "packages"] = Field(
        description="stroppy: the load generator, from where the parameter stroppy says; packages: those of Debian"
    )
    packages: tuple[PackageName, ...] = Field(
        (), strict=False, description="Names of packages; what they need comes along"
    )

    @model_validator(mode="after")
    def _packages_are_named(self) -> ArtifactOptions:
        if self.artifact == "packages" and not self.packages:
            raise ValueError("artifact packages needs their names: packages: [redis-server]")
        if self.artifact != "packages" and self.packages:
            raise ValueError(f"packages are for artifact: packages, and this is {self.artifact}")
        return self


def about(options: ArtifactOptions) -> str:
    """What it is called where a step has no words of its own."""
    if options.artifact == "stroppy":
        return "Stroppy"
    first, *others = options.packages
    return f"{first} and {len(others)} more" if len(others) > 2 else ", ".join(options.packages)


def from_image(context: CompileContext) -> bool:
    """Whether packages can be fetched on the controller, because the nodes are made there of a tree."""
    return context.provider == _LOCAL


def task(
    options: ArtifactOptions, context: CompileContext, state: Literal["built", "loaded"]
) -> dict[str, Any]:
    """The task that makes the artifact on the controller, or brings it to a node as well."""
    doing = "Make" if state == "built" else "Load"
    if options.artifact == "stroppy":
        arguments = {"state": state, "folder": _SUITE_FOLDER, **stroppy_source(context)}
        return {"name": f"{doing} Stroppy", "stroppy_program": arguments}
    arguments = {"state": state, "names": [Unsafe(name) for name in options.packages]}
    release = _release(context)
    if release:
        arguments["release"] = release
    return {"name": f"{doing} the packages", "package_store": arguments}


def _release(context: CompileContext) -> dict[str, str]:
    given = context.parameters.model_dump(mode="json", exclude_none=True)
    release = release_of_test(context.provider, given) if from_image(context) else None
    return asdict(release) if release else {}
