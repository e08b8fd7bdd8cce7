"""`decommission_site`: a site that takes no writes is stopped and its data removed."""

from __future__ import annotations

from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.sites import SiteOptions, SiteStep, site_nodes, site_play, site_step

__all__ = ["DecommissionSite"]

_SECONDS = 120


class DecommissionSite(SiteStep[SiteOptions]):
    """Take a site out of service."""

    name = "decommission_site"
    summary = "Stop a site that takes no writes, and remove its data; restore_site brings it back"
    options = SiteOptions

    def compile(self, options: SiteOptions, context: CompileContext) -> CompiledStep:
        """The role `site` with the state absent."""
        made = site_play(f"Decommission {options.site}", context, options.site, "absent", _SECONDS)
        return site_step([made], site_nodes(context, options.site), _SECONDS)
