"""The result of any run from its folder: of tests, or of one test in cycles."""

from __future__ import annotations

from e2e_ansible.judge.result import RunResult
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.results import read_test, run_result
from e2e_ansible.soak.result import read_soak

__all__ = ["read_run"]


def read_run(run: RunFolder) -> RunResult:
    """Judge a whole run from its folder.

    Raises:
        HarnessError: a file cannot be read.
    """
    manifest = run.manifest()
    if manifest.soak is not None:
        return read_soak(run)
    begun = [test for test in manifest.tests if run.test(test.folder).journal.exists()]
    return run_result(manifest, [read_test(run.test(test.folder), test.folder) for test in begun])
