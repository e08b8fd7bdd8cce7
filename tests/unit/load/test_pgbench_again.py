"""The program around pgbench: it is started again, and then finds who takes writes before its clients do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from e2e_ansible.load.pgbench import RUN

PGBENCH = """#!/bin/sh
[ "$1" = --version ] && { echo "pgbench (PostgreSQL) 15.20"; exit 0; }
echo "pgbench $PGHOST $PGPORT" >>asked
[ "$(grep -c ^pgbench asked)" -gt 1 ] || exit 2
"""
#: As libpq does: whoever takes writes is found behind a dead host, if there is one already.
PSQL = """#!/bin/sh
echo "psql $PGHOST $PGPORT" >>asked
[ "$(grep -c ^psql asked)" -gt "$LEADERLESS" ] || exit 2
echo "$LEADER"
"""


def asked(folder: Path, *, leaderless: int = 0, psql: str = PSQL) -> list[str]:
    for name, text in (("pgbench", PGBENCH), ("psql", psql), ("sleep", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o700)
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PGHOST": "dead,second,leader",
        "PGPORT": "1,2,3",
        "LEADER": "leader 3",
        "LEADERLESS": str(leaderless),
    }
    words = ["sh", "-c", RUN, "sh", "60", "1", "yes"]
    done = subprocess.run(
        words, check=False, cwd=folder, env=environment, timeout=50, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("e2e: started 2 times\n")
    return (folder / "asked").read_text().splitlines()


def test_who_takes_writes_is_asked_first_when_it_is_started_again(tmp_path: Path) -> None:
    first, *_, last = asked(tmp_path)
    assert first == "pgbench dead,second,leader 1,2,3"
    assert last == "pgbench leader,dead,second,leader 3,1,2,3"


def test_it_is_not_started_again_before_anybody_takes_writes(tmp_path: Path) -> None:
    words = [line.split()[0] for line in asked(tmp_path, leaderless=1)]
    assert words == ["pgbench", "psql", "psql", "pgbench"]


def test_without_psql_it_is_started_again_as_it_was(tmp_path: Path) -> None:
    assert asked(tmp_path, psql="#!/bin/sh\nexit 127\n") == ["pgbench dead,second,leader 1,2,3"] * 2
