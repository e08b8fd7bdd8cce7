"""A deployment knows the folder of its run, so that `reap` leaves it alone while the run is alive."""

from __future__ import annotations

from pathlib import Path

from run_replay import Replay, replay

from e2e_ansible.providers.base import Deployed
from e2e_ansible.run.reaping import Choice, chosen


def alive(folder: str) -> str:
    """What `reap` says of a deployment with this owner."""
    found = Deployed(deployment="demo", things=(), folder=folder)
    (orphan,) = chosen({"paper": [found]}, Choice(deployments=("demo",)), now=0)
    return orphan.alive


def test_every_step_tells_who_owns_the_nodes_and_the_owner_is_alive(tmp_path: Path) -> None:
    owners: list[tuple[str, str]] = []
    engine = Replay(
        "failing_check",
        before=lambda request, cancel: (
            owners.append((request.environment["E2E_OWNER"], alive(request.environment["E2E_OWNER"])))
            if "E2E_OWNER" in request.environment
            else None
        ),
    )
    ran = replay(tmp_path, "failing_check", engine=engine)
    assert len(owners) > 1
    assert set(owners) == {(str(ran.folder.path), "its run is alive")}
    assert alive(str(ran.folder.path)) == ""


def test_what_no_run_has_made_belongs_to_none() -> None:
    assert alive("") == ""
