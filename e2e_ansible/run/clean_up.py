"""Removes what a test made, by its policy, and everything that a dead run has left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from e2e_ansible.engine.processes import end_all
from e2e_ansible.engine.warm.orphans import remove_all_orphans
from e2e_ansible.errors import CleanUpError, E2EError
from e2e_ansible.judge.entry import CleanUpEnded
from e2e_ansible.providers.base import Provider
from e2e_ansible.quota.gate import give_back
from e2e_ansible.run.folder import ManifestTest, RunFolder
from e2e_ansible.run.scratch import remove_scratch
from e2e_ansible.suite.model import Keep
from e2e_ansible.verdict import Verdict

__all__ = ["clean_up", "destroy_run", "keeps"]


def keeps(policy: Keep, verdict: Verdict) -> bool:
    """Whether the nodes of a test with this verdict stay."""
    return policy == "always" or (policy == "on-failure" and verdict is not Verdict.PASS)


def clean_up(provider: Provider, deployment: str, *, keep: bool, at: float) -> CleanUpEnded:
    """Remove a deployment, or say what was kept. Never raises for what a provider does."""
    try:
        if deployment not in provider.deployments():
            return CleanUpEnded(at=at, ok=True, kept=False, message="nothing was left to remove")
        if keep:
            return CleanUpEnded(at=at, ok=True, kept=True, message=f"deployment {deployment} was kept")
        provider.destroy(deployment)
    except (E2EError, OSError) as error:
        text = f"deployment {deployment} could not be removed: {error}"
        return CleanUpEnded(at=at, ok=False, kept=False, message=text)
    return CleanUpEnded(at=at, ok=True, kept=False, message=f"deployment {deployment} was removed")


def destroy_run(run: RunFolder, provider: Callable[[str], Provider], *, at: float) -> list[str]:
    """Remove whatever a run has left: its processes, its deployments, its scratch folder. Safe to repeat.

    Returns one sentence for each deployment.

    Raises:
        UsageError: the run is still running.
        CleanUpError: something is left; the message has everything that is.
    """
    lock = run.lock()
    try:
        manifest = run.manifest()
        left = [f"process {pid} would not end" for pid in end_all(manifest.run_id)]
        remove_all_orphans()
        done = [_removed(test, provider, at) for test in manifest.tests]
        told = [
            text
            for test, entry in zip(manifest.tests, done, strict=True)
            if entry.ok and (text := give_back(test.deployment))
        ]
        if manifest.scratch:
            remove_scratch(Path(manifest.scratch))
    finally:
        os.close(lock)
    left += [entry.message for entry in done if not entry.ok]
    if left:
        raise CleanUpError("\n".join(left), hint=f"try again: e2e-ansible destroy {run.path}")
    words = [*(entry.message for entry in done), *told]
    run.note_removal(words)
    return words


def _removed(test: ManifestTest, provider: Callable[[str], Provider], at: float) -> CleanUpEnded:
    """Whatever a provider from elsewhere raises, what other tests have left is removed all the same."""
    try:
        return clean_up(provider(test.provider), test.deployment, keep=False, at=at)
    except Exception as error:
        text = f"deployment {test.deployment} could not be removed: {type(error).__name__}: {error}"
        return CleanUpEnded(at=at, ok=False, kept=False, message=text)
