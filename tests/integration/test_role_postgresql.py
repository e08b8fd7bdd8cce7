"""The role postgresql on real nodes: fresh, again, changed, refused, crashed, diverged, from packages."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from role_nodes import Cluster, Played, cluster

from e2e_ansible.providers.base import Operation

pytestmark = pytest.mark.nodes
TRIO = ("n11", "n12", "n13")
ALONE = ("n14",)
BARE = ("n15",)
NOTHING_CHANGED = dict.fromkeys(TRIO, 0)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster((*TRIO, *ALONE, *BARE), tmp_path_factory.mktemp("inventory")) as made:
        yield made


def deploy(nodes: Cluster, *options: str, **variables: object) -> Played:
    return nodes.play("postgresql", TRIO, *options, postgresql_topology="replication", **variables)


@pytest.fixture(scope="module")
def first(nodes: Cluster) -> Played:
    return deploy(nodes)


@pytest.fixture
def replication(nodes: Cluster, first: Played) -> Cluster:
    """Three nodes on which the role has run; what an earlier test left is put right."""
    assert first.code == 0, first.output
    again = deploy(nodes, postgresql_rebuild_replicas=True)
    assert again.code == 0, again.output
    return nodes


def streaming(nodes: Cluster) -> str:
    return nodes.sql(
        "n11",
        "SELECT string_agg(application_name, ' ' ORDER BY application_name) FROM pg_stat_replication"
        " WHERE state = 'streaming'",
    )


def setting(nodes: Cluster, node: str, name: str) -> str:
    return nodes.sql(node, f"SELECT setting FROM pg_settings WHERE name = '{name}'")


def test_fresh_nodes_replicate(nodes: Cluster, first: Played) -> None:
    assert first.code == 0, first.output
    assert streaming(nodes) == "n12 n13"
    assert nodes.sql("n12", "SELECT pg_is_in_recovery()") == "t"
    assert setting(nodes, "n11", "data_checksums") == "on"
    assert setting(nodes, "n13", "data_checksums") == "on"


def test_second_run_changes_nothing_and_shows_no_password(replication: Cluster) -> None:
    again = deploy(replication, "-vvv", "--diff")
    assert again.code == 0, again.output
    assert again.changed == NOTHING_CHANGED
    folder = Path(replication.variable("n11", "e2e_client_password_file")).parent
    for file in ("client_password", "replication_password"):
        password = (folder / file).read_text().strip()
        assert len(password) >= 16
        assert password not in again.output
        assert password not in replication.ssh(
            "n11", "cat /var/log/postgresql/*.log; ps -ef; journalctl --no-pager -b"
        )


def test_first_run_shows_no_password(nodes: Cluster, first: Played) -> None:
    folder = Path(nodes.variable("n11", "e2e_client_password_file")).parent
    for file in ("client_password", "replication_password"):
        assert (folder / file).read_text().strip() not in first.output
    assert (folder / "replication_password").stat().st_mode & 0o077 == 0


def test_check_mode_reports_drift_and_changes_nothing(replication: Cluster) -> None:
    clean = deploy(replication, "--check")
    assert clean.code == 0, clean.output
    assert clean.changed == NOTHING_CHANGED
    replication.ssh("n12", "echo \"work_mem = '1GB'\" >> /etc/postgresql/15/main/conf.d/e2e.conf")
    replication.sql("n11", "DROP TABLE e2e.integrity")
    drifted = deploy(replication, "--check")
    assert drifted.code == 0, drifted.output
    assert drifted.changed["n11"] >= 1
    assert drifted.changed["n12"] >= 1
    assert drifted.changed["n13"] == 0
    assert replication.sql("n11", "SELECT to_regclass('e2e.integrity') IS NULL") == "t"


def test_client_logs_in_with_its_password_and_owns_its_schema(replication: Cluster) -> None:
    password = Path(replication.variable("n11", "e2e_client_password_file")).read_text().strip()
    address = replication.variable("n11", "ansible_host")
    connect = (
        f'read -r PGPASSWORD; export PGPASSWORD; psql -X -qAt "host={address} user=e2e dbname=postgres" -c '
    )
    write = (
        "INSERT INTO e2e.integrity (id) VALUES (7) ON CONFLICT DO NOTHING; CREATE SCHEMA IF NOT EXISTS e2e;"
        " SELECT count(at) FROM e2e.integrity WHERE id = 7"
    )
    assert replication.ssh("n13", f"{connect}'{write}'", text=password + "\n") == "1"
    refused = replication.try_ssh("n13", f"{connect}'SELECT 1'", text="wrong\n")
    assert "password authentication failed" in refused.stderr
    assert (
        replication.sql(
            "n11", "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'e2e'"
        )
        == "t"
    )


def test_new_client_password_is_taken_over(replication: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("another password with 'quotes'\n")
    folder = Path(replication.variable("n11", "e2e_client_password_file")).parent
    files = {
        "postgresql_client_password_file": str(file),
        "postgresql_replication_password_file": str(folder / "replication_password"),
    }
    assert deploy(replication, **files).changed == {"n11": 1, "n12": 0, "n13": 0}
    assert deploy(replication, **files).changed == NOTHING_CHANGED


def test_settings_are_applied_with_reload_or_restart(replication: Cluster) -> None:
    started = "SELECT pg_postmaster_start_time()"
    before = replication.sql("n11", started)
    reloaded = deploy(replication, postgresql_settings={"work_mem": "8MB", "log_checkpoints": True})
    assert reloaded.code == 0, reloaded.output
    assert setting(replication, "n11", "work_mem") == "8192"
    assert setting(replication, "n13", "work_mem") == "8192"
    assert replication.sql("n11", started) == before

    wanted = {"work_mem": "8MB", "max_connections": 150}
    restarted = deploy(replication, postgresql_settings=wanted)
    assert restarted.code == 0, restarted.output
    assert setting(replication, "n11", "max_connections") == "150"
    assert setting(replication, "n12", "max_connections") == "150"
    assert replication.sql("n11", started) != before
    assert deploy(replication, postgresql_settings=wanted).changed == NOTHING_CHANGED
    assert streaming(replication) == "n12 n13"


def test_unknown_setting_and_wrong_value_are_refused_before_anything_changes(replication: Cluster) -> None:
    refused = deploy(replication, postgresql_settings={"max_conections": 10, "work_mem": "8XB"})
    assert refused.code != 0
    text = " ".join(refused.output.split())
    assert "PostgreSQL has no setting max_conections; did you mean max_connections?" in text
    assert 'invalid value for parameter "work_mem": "8XB"' in text
    assert refused.changed == NOTHING_CHANGED


def test_version_that_is_not_offered_is_refused(replication: Cluster) -> None:
    refused = deploy(replication, postgresql_version="12")
    assert refused.code != 0
    assert "PostgreSQL 12 is not available here; available: 15" in refused.output
    assert deploy(replication).changed == NOTHING_CHANGED


def test_crashed_nodes_come_back_by_themselves(replication: Cluster) -> None:
    replication.sql("n11", "INSERT INTO e2e.integrity (id) VALUES (100) ON CONFLICT DO NOTHING")
    replication.power("n11", Operation.RESET)
    replication.power("n12", Operation.RESET)
    deadline = time.monotonic() + 60
    while replication.try_ssh("n11", "pg_isready -q").returncode or streaming(replication) != "n12 n13":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert replication.sql("n12", "SELECT count(*) FROM e2e.integrity WHERE id = 100") == "1"
    assert deploy(replication).changed == NOTHING_CHANGED


def test_stopped_replica_is_started_and_catches_up(replication: Cluster) -> None:
    replication.ssh("n12", "systemctl stop postgresql@15-main")
    replication.sql("n11", "INSERT INTO e2e.integrity (id) VALUES (200) ON CONFLICT DO NOTHING")
    again = deploy(replication)
    assert again.code == 0, again.output
    assert again.changed == {"n11": 0, "n12": 1, "n13": 0}
    assert streaming(replication) == "n12 n13"


def test_diverged_replica_is_refused_and_rebuilt_only_on_request(replication: Cluster) -> None:
    replication.sql("n12", "SELECT pg_promote()")
    refused = deploy(replication)
    assert refused.code != 0
    assert "it holds a writable database of its own" in " ".join(refused.output.split())
    assert replication.sql("n12", "SELECT pg_is_in_recovery()") == "f"
    rebuilt = deploy(replication, postgresql_rebuild_replicas=True)
    assert rebuilt.code == 0, rebuilt.output
    assert rebuilt.changed["n13"] == 0
    assert streaming(replication) == "n12 n13"


def test_primary_that_is_a_standby_is_refused(replication: Cluster) -> None:
    refused = deploy(replication, postgresql_primary="n12")
    assert refused.code != 0
    assert "name the present primary in postgresql_primary" in " ".join(refused.output.split())
    assert deploy(replication).changed == NOTHING_CHANGED


def test_standalone_after_a_check_of_the_untouched_node(nodes: Cluster) -> None:
    looked = nodes.play("postgresql", ALONE, "--check")
    assert looked.code == 0, looked.output
    assert looked.changed["n14"] >= 1
    assert nodes.ssh("n14", "ls /etc/postgresql") == ""
    made = nodes.play("postgresql", ALONE, postgresql_port=5544)
    assert made.code == 0, made.output
    assert nodes.ssh("n14", "cd / && runuser -u postgres -- psql -p 5544 -qAt -c 'SHOW port'") == "5544"
    assert nodes.play("postgresql", ALONE, postgresql_port=5544).changed == {"n14": 0}


def test_interrupted_creation_is_made_good(nodes: Cluster) -> None:
    nodes.ssh("n14", "systemctl stop postgresql; touch /var/lib/postgresql/15-main.unfinished")
    made = nodes.play("postgresql", ALONE)
    assert made.code == 0, made.output
    assert nodes.sql("n14", "SHOW port") == "5432"


def test_packages_are_installed_from_the_distribution(nodes: Cluster) -> None:
    purge = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge 'postgresql*'"
    purge += " && rm -rf /etc/postgresql* /var/lib/postgresql"
    nodes.ssh(
        "n15", f"{purge}; rm -rf /var/lib/apt/lists; mkdir /var/lib/apt/lists; ! ls /usr/lib/postgresql"
    )
    # Another package manager at work: the role waits for it.
    nodes.ssh("n15", "systemd-run --unit=busy flock /var/lib/dpkg/lock sleep 1")
    made = nodes.play("postgresql", BARE)
    assert made.code == 0, made.output
    print(f"with installation: {made.seconds:.1f} s")
    assert setting(nodes, "n15", "data_checksums") == "on"
    assert nodes.ssh("n15", "systemctl is-active apt-daily.timer || true") != "active"
    again = nodes.play("postgresql", BARE)
    assert again.changed == {"n15": 0}


@pytest.fixture
def repository(nodes: Cluster, tmp_path: Path) -> Path:
    """A signed repository on n15 whose index offers PostgreSQL 98; returns its public key."""
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)

    def gpg(*arguments: str, text: str = "") -> str:
        command = [
            "gpg",
            "--homedir",
            str(home),
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]
        return subprocess.run(
            [*command, *arguments], input=text, capture_output=True, text=True, check=True
        ).stdout

    gpg("--quick-generate-key", "test@example.org", "ed25519", "sign", "never")
    package = (
        "Package: postgresql-98\nVersion: 98.1-1\nArchitecture: all\nMaintainer: test <test@example.org>\n"
        "Filename: ./postgresql-98.deb\nSize: 1\nSHA256: " + "0" * 64 + "\nDescription: test server\n"
    )
    nodes.ssh("n15", "mkdir -p /srv/repository && cat > /srv/repository/Packages", text=package)
    digest = nodes.ssh("n15", "sha256sum < /srv/repository/Packages").split()[0]
    date = nodes.ssh("n15", "date -u -R")
    release = f"Origin: test\nDate: {date}\nSHA256:\n {digest} {len(package.encode())} Packages\n"
    nodes.ssh("n15", "cat > /srv/repository/InRelease", text=gpg("--clearsign", text=release))
    key = tmp_path / "key.asc"
    key.write_text(gpg("--armor", "--export"))
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    return key


def test_pgdg_takes_the_repository_and_key_that_the_user_gives(nodes: Cluster, repository: Path) -> None:
    given = {"uri": "file:/srv/repository", "key_file": str(repository), "suite": "./"}
    refused = nodes.play(
        "postgresql",
        BARE,
        postgresql_source="pgdg",
        postgresql_version="97",
        postgresql_pgdg_repository=given,
    )
    assert refused.code != 0
    assert "PostgreSQL 97 is not available here; available: 15, 98" in refused.output
    missing = nodes.play("postgresql", BARE, postgresql_source="pgdg")
    assert "postgresql_pgdg_repository with uri and key_file" in " ".join(missing.output.split())
