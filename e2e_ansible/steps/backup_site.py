"""`backup_site`: a backup now of the site that takes writes, beside those of the timer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from e2e_ansible.errors import UsageError
from e2e_ansible.nodes.services import repository_node
from e2e_ansible.steps.base import CompileContext, CompiledStep, play
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.steps.sites import SiteOptions, SiteStep, site_nodes
from e2e_ansible.verdict import Cause

__all__ = ["BackupSite", "BackupSiteOptions"]

_SECONDS = 900
#: What Ansible itself needs around the backup.
_AROUND_SECONDS = 60


class BackupSiteOptions(SiteOptions):
    """Which site, and what kind of backup."""

    type: Literal["full", "diff", "incr"] = Field("incr", description="Kind of the backup; the first is full")
    seconds: float = Field(_SECONDS, gt=0, le=604_800, description="Longest time for the backup")


class BackupSite(SiteStep[BackupSiteOptions]):
    """Back a site up."""

    name = "backup_site"
    summary = "Make a backup now of the site that takes writes, beside those of the timer"
    options = BackupSiteOptions

    def compile(self, options: BackupSiteOptions, context: CompileContext) -> CompiledStep:
        """The role `pgbackrest` with the state `backed_up`, on the node with the repository.

        Raises:
            UsageError: the test has no backups.
        """
        if not context.parameters.backup:
            raise UsageError("backup_site needs backups", hint="set the parameter backup to true")
        keeper = repository_node(context.labels)
        variables = {
            "pgbackrest_state": "backed_up",
            "pgbackrest_repository_host": keeper,
            "pgbackrest_backup_type": options.type,
            "pgbackrest_backup_of": list(site_nodes(context, options.site)),
            "pgbackrest_backup_timeout": int(options.seconds),
        }
        role = {"role": "pgbackrest", "vars": variables}
        return CompiledStep(
            plays=[play(f"Back {options.site} up", (keeper,), become=True, roles=[role])],
            hosts=(keeper,),
            deadline_seconds=options.seconds + _AROUND_SECONDS,
            replay=Replay.REPEATABLE,
            judgement=Judgement(failure_cause=Cause.PRODUCT),
        )
