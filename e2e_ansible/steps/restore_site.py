"""`restore_site`: the data of a site is made anew from the newest backup and the archive; then it follows the other."""

from __future__ import annotations

from pydantic import Field

from e2e_ansible.errors import UsageError
from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.sites import SiteOptions, SiteStep, other_site, site_nodes, site_play, site_step

__all__ = ["RestoreSite", "RestoreSiteOptions"]

_SECONDS = 900


class RestoreSiteOptions(SiteOptions):
    """Which site, and how long its data may take."""

    seconds: float = Field(_SECONDS, gt=0, le=604_800, description="Longest time to restore and to catch up")


class RestoreSite(SiteStep[RestoreSiteOptions]):
    """Restore a site."""

    name = "restore_site"
    summary = "Make a site anew from the newest backup and the archived WAL; it follows the other site then"
    options = RestoreSiteOptions

    def compile(self, options: RestoreSiteOptions, context: CompileContext) -> CompiledStep:
        """The role `site` with the state restored.

        Raises:
            UsageError: the test has no backups.
        """
        if not context.parameters.backup:
            raise UsageError("restore_site needs backups", hint="set the parameter backup to true")
        title = f"Restore {options.site}, which then follows {other_site(context, options.site)}"
        made = site_play(title, context, options.site, "restored", options.seconds)
        return site_step([made], site_nodes(context, options.site), options.seconds)
