"""What the steps that act on a site have in common: its name, its nodes, and the role `site`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import Field

from e2e_ansible.errors import UsageError
from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType, play
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["SiteOptions", "SiteStep", "other_site", "site_nodes", "site_play", "site_step"]

#: What Ansible itself needs around the waits of the role.
_AROUND_SECONDS = 60


class SiteOptions(StepOptions):
    """Which site."""

    site: str = Field(
        description="Name of the site, as `sites` has it; often ${context.primary} or secondary"
    )


Options = TypeVar("Options", bound=SiteOptions)


class SiteStep(StepType[Options], Generic[Options]):
    """A step that acts on a site."""

    def site_names(self, options: Options) -> Sequence[tuple[str, str]]:
        """The field `site`."""
        return [("site", options.site)]


def site_nodes(context: CompileContext, site: str) -> tuple[str, ...]:
    """The nodes of a site, in order.

    Raises:
        UsageError: the test has no such site.
    """
    nodes = tuple(node for node in context.nodes if site in context.labels[node])
    if not context.contexts or site not in context.contexts or not nodes:
        raise UsageError(f"this test has no site {site!r}", hint="name two in the parameter 'sites'")
    return nodes


def other_site(context: CompileContext, site: str) -> str:
    """The site that is not this one.

    Raises:
        UsageError: the test has no such site.
    """
    site_nodes(context, site)
    assert context.contexts is not None
    return next(name for name in context.contexts if name != site)


def site_play(
    title: str, context: CompileContext, site: str, state: str, seconds: float, **more: object
) -> Play:
    """The play that gives a site a state by the role `site`."""
    other = other_site(context, site)
    variables: dict[str, Any] = {
        "site_state": state,
        "site_name": site,
        "site_members": list(site_nodes(context, site)),
        "site_other_name": other,
        "site_others": list(site_nodes(context, other)),
        "site_deadline_seconds": seconds,
        **more,
    }
    roles: list[Mapping[str, Any]] = [{"role": "site", "vars": variables}]
    return play(title, site_nodes(context, site), become=True, any_errors_fatal=True, roles=roles)


def site_step(plays: Sequence[Play], nodes: tuple[str, ...], seconds: float) -> CompiledStep:
    """A step whose nodes each prove what became of the site; what is there already is seen and left.

    `seconds` is what the role may take; Ansible itself gets some more.
    """
    return CompiledStep(
        plays=plays,
        hosts=nodes,
        deadline_seconds=seconds + _AROUND_SECONDS,
        replay=Replay.VERIFY_FIRST,
        judgement=Judgement(failure_cause=Cause.PRODUCT, proofs=nodes, unproved=Verdict.FAIL),
    )
