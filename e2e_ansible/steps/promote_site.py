"""`promote_site`: a standby site takes writes. Refused while the other site may take them too."""

from __future__ import annotations

from pydantic import Field

from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.sites import SiteOptions, SiteStep, site_nodes, site_play, site_step

__all__ = ["PromoteSite", "PromoteSiteOptions"]

_SECONDS = 120


class PromoteSiteOptions(SiteOptions):
    """Which site, and whether the other one is asked."""

    force: bool = Field(
        False,
        description="Do not ask the other site, because it is lost; rows that only it has are lost with it",
    )
    seconds: float = Field(_SECONDS, gt=0, le=604_800, description="Longest time until it takes writes")


class PromoteSite(SiteStep[PromoteSiteOptions]):
    """Promote a site."""

    name = "promote_site"
    summary = "Let a standby site take writes, once it has all that the other site has"
    options = PromoteSiteOptions

    def compile(self, options: PromoteSiteOptions, context: CompileContext) -> CompiledStep:
        """The role `site` with the state primary."""
        more = {"site_force": True} if options.force else {}
        made = site_play(f"Promote {options.site}", context, options.site, "primary", options.seconds, **more)
        return site_step([made], site_nodes(context, options.site), options.seconds)
