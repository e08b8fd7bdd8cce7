"""Heals the faults that a test has left open, now or in another process after the run has died."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from e2e_ansible.compile.compiler import HEAL_PLAYBOOK, INVENTORY
from e2e_ansible.engine.processes import end_all
from e2e_ansible.engine.protocol import Engine, PlayRequest
from e2e_ansible.errors import CleanUpError, E2EError
from e2e_ansible.faults.ledger import VARIABLE, FaultRecord, Line, append, read
from e2e_ansible.judge.entry import FaultsHealed
from e2e_ansible.providers.base import Node, Provider
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import ManifestTest, RunFolder, TestFolder, make_private
from e2e_ansible.run.journal import Journal
from e2e_ansible.run.scratch import environment, remove_scratch, scratch_folder, scratch_path

__all__ = ["heal_open", "heal_run"]

_DEADLINE_SECONDS = 600
_FOLDER = "heal"


def heal_open(
    context: RunContext, folder: TestFolder, provider: str, deployment: str, token: str
) -> FaultsHealed | None:
    """Heal what the ledger of a test says is open; None when nothing is. A deadline of its own.

    Raises:
        HarnessError: the ledger cannot be read.
        OSError: the ledger, or the folder of the play, cannot be written.
    """
    found = _open(folder)
    if not found:
        return None
    try:
        there = {node.name for node in _nodes(context, provider, deployment)}
    except (E2EError, OSError) as error:
        return FaultsHealed(at=context.now(), ok=False, message=f"{_names(found)}: not healed: {error}")
    for record in found:
        if record.node not in there:
            text = "the node is gone, and the fault with it"
            line = Line(at=context.now(), fault_id=record.id, event="healed", proved=True, message=text)
            append(folder.faults, line)
    why = ""
    if any(record.node in there for record in found):
        why = _play(context, folder, deployment, token, [each.node for each in found if each.node in there])
    return _outcome(context.now(), folder, found, why)


def heal_run(
    run: RunFolder,
    provider: Callable[[str], Provider],
    engine: Callable[[], Engine],
    *,
    now: Callable[[], float] = time.time,
) -> list[str]:
    """Heal what a run that is over has left. Safe to repeat. Returns a sentence for each fault.

    Raises:
        UsageError: the run is still running.
        CleanUpError: a fault may still be there.
        HarnessError: the manifest of the run cannot be read.
    """
    lock = run.lock()
    try:
        manifest = run.manifest()
        wanted = [test for test in manifest.tests if _may_be_open(run.test(test.folder))]
        end_all(manifest.run_id)  # a play of a dead run may be about to inject one more
        entries = list(_heal_tests(run, wanted, provider, engine, now)) if wanted else []
    finally:
        os.close(lock)
    left = [entry.message for entry in entries if not entry.ok]
    if left:
        raise CleanUpError("\n".join(left), hint=f"try again: e2e-ansible heal {run.path}")
    return [line for entry in entries for line in entry.message.splitlines()]


def _heal_tests(
    run: RunFolder,
    tests: Sequence[ManifestTest],
    provider: Callable[[str], Provider],
    engine: Callable[[], Engine],
    now: Callable[[], float],
) -> Iterable[FaultsHealed]:
    place = scratch_path(f"{run.run_id}-{_FOLDER}")
    remove_scratch(place)  # of a heal that was killed; the lock of the run says that none is alive
    with scratch_folder(place) as scratch:
        context = RunContext(
            run_id=run.run_id,
            engine=engine(),
            options=RunOptions(),
            environment=environment(scratch),
            tell=Megaphone([]),
            provider=provider,
            now=now,
        )
        for test in tests:
            try:
                entry = _heal_test(context, run, test)
            except (E2EError, OSError) as error:  # those of the other tests are healed all the same
                text = f"the faults of {test.name} may still be there: {error}"
                entry = FaultsHealed(at=now(), ok=False, message=text)
            if entry is not None:
                yield entry
        end_all(run.run_id)


def _heal_test(context: RunContext, run: RunFolder, test: ManifestTest) -> FaultsHealed | None:
    folder = run.test(test.folder)
    token = f"{run.run_id}/{Path(test.folder).name}"
    entry = heal_open(context, folder, test.provider, test.deployment, token)
    if entry is not None:
        entry = entry.model_copy(update={"by_hand": True})
        _keep(folder, entry)
    return entry


def _keep(folder: TestFolder, entry: FaultsHealed) -> None:
    journal = Journal(folder.journal)
    try:
        journal.append(entry)
    finally:
        journal.close()


def _may_be_open(folder: TestFolder) -> bool:
    try:
        return bool(_open(folder))
    except E2EError:  # whoever heals it tells why nobody knows
        return True


def _open(folder: TestFolder) -> list[FaultRecord]:
    return [record for record in read(folder.faults) if record.open]


def _nodes(context: RunContext, provider: str, deployment: str) -> Sequence[Node]:
    driver = context.provider(provider)
    return driver.nodes(deployment) if deployment in driver.deployments() else ()


def _play(context: RunContext, folder: TestFolder, deployment: str, token: str, nodes: Sequence[str]) -> str:
    """Run the playbook that heals; why it did not do all of it, '' when it did."""
    if not (folder.plan / HEAL_PLAYBOOK).is_file():
        return f"the plan has no {HEAL_PLAYBOOK}"
    artifacts = folder.path / _FOLDER
    make_private(artifacts)
    variables = {"E2E_DEPLOYMENT": deployment, "E2E_STEP": _FOLDER, VARIABLE: str(folder.faults)}
    request = PlayRequest(
        project=folder.plan,
        playbook=HEAL_PLAYBOOK,
        inventory=INVENTORY,
        artifacts=artifacts,
        deadline_seconds=_DEADLINE_SECONDS,
        token=f"{token}/{_FOLDER}",
        environment={**context.environment, **variables},
        limit=",".join(dict.fromkeys(nodes)),
    )
    outcome = context.engine.run(request, lambda event: None, context.abandon)
    end_all(token)  # the ssh masters: a node may have come back as another boot
    return outcome.message or ("" if outcome.rc == 0 else f"see {artifacts}")


def _outcome(at: float, folder: TestFolder, found: Sequence[FaultRecord], why: str) -> FaultsHealed:
    after = {record.id: record for record in read(folder.faults)}
    lines = []
    for record in found:
        now = after[record.id]
        name = f"{record.name or record.fault} on {record.node}"
        if now.open:
            lines.append(f"{name} may still be there: {now.message or why or 'no heal was proved'}")
        else:
            lines.append(f"{name} was healed: {now.message}")
    ok = not any(after[record.id].open for record in found)
    return FaultsHealed(at=at, ok=ok, message="\n".join(lines))


def _names(records: Sequence[FaultRecord]) -> str:
    return ", ".join(f"{record.name or record.fault} on {record.node}" for record in records)
