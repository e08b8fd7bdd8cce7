"""`demote_site`: a site stops taking writes, cleanly; it follows the other one or nobody."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.sites import SiteOptions, SiteStep, site_nodes, site_play, site_step

__all__ = ["DemoteSite", "DemoteSiteOptions"]

_SECONDS = 120


class DemoteSiteOptions(SiteOptions):
    """With `follow` nothing is lost: the other site has every row before the step ends."""

    follow: str = Field(
        "",
        description="The other site, which it follows from now on; without it, it is fenced and follows nobody",
    )
    seconds: float = Field(
        _SECONDS, gt=0, le=604_800, description="Longest time to stop and for the other site to have all rows"
    )

    @model_validator(mode="after")
    def _not_itself(self) -> DemoteSiteOptions:
        if self.follow == self.site:
            raise ValueError(f"{self.site} cannot follow itself; name the other site")
        return self


class DemoteSite(SiteStep[DemoteSiteOptions]):
    """Demote a site."""

    name = "demote_site"
    summary = "Let a site take no more writes; it follows the other one, which has every row, or nobody"
    options = DemoteSiteOptions

    def site_names(self, options: DemoteSiteOptions) -> Sequence[tuple[str, str]]:
        """Both sites."""
        return [("site", options.site), *([("follow", options.follow)] if options.follow else [])]

    def compile(self, options: DemoteSiteOptions, context: CompileContext) -> CompiledStep:
        """The role `site` with the state standby or fenced."""
        state = "standby" if options.follow else "fenced"
        title = f"Let {options.site} follow {options.follow}" if options.follow else f"Fence {options.site}"
        made = site_play(title, context, options.site, state, options.seconds)
        return site_step([made], site_nodes(context, options.site), options.seconds)
