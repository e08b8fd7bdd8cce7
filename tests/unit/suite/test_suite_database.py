"""Versions, settings and existing databases, as far as a suite alone shows what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from suite_texts import Load, Problems

from e2e_ansible.providers.releases import VERSIONS, Release, release_of, release_of_test, server_version
from e2e_ansible.suite import pg_settings
from e2e_ansible.suite.quantity import NoQuantity, quantity, written
from e2e_ansible.suite.settings import recorded_versions, wrong_setting

FLOW = "workflow: [{step: init}]\n"
RECORDS = Path(pg_settings.__file__).parent


def settings(text: str, version: str = "15", more: str = "") -> str:
    return f"parameters: {{postgres_version: {version}, {more}postgres_settings: {{{text}}}}}\n{FLOW}"


RELEASES = [
    ("", "", Release("bookworm")),
    ("15", "", Release("bookworm")),
    ("17", "", Release("trixie")),
    ("16", "", Release("bookworm", "16")),
    ("13", "", Release("bookworm", "13")),
    ("17", "bookworm", Release("bookworm", "17")),
    ("15", "trixie", Release("trixie", "15")),
    ("17", "trixie", Release("trixie")),
    ("", "trixie", Release("trixie")),
    ("17", "sid", Release("sid")),
]


@pytest.mark.parametrize(("version", "suite", "release"), RELEASES)
def test_a_version_has_a_release(version: str, suite: str, release: Release) -> None:
    assert release_of(version, suite) == release


def test_an_image_in_the_words_of_a_cloud_is_no_release() -> None:
    ours = {"image": "ami-123", "postgres_version": "17"}
    assert release_of_test("local", ours) == Release("trixie")
    assert release_of_test("local", {**ours, "image": "bookworm"}) == Release("bookworm", "17")
    assert release_of_test("libvirt", {**ours, "image": "debian"}) == Release("trixie")
    assert release_of_test("libvirt", {**ours, "image": "/srv/disk.qcow2"}) is None
    assert release_of_test("aws", ours) is None
    assert [server_version(provider, {}) for provider in ("local", "aws")] == ["15", ""]
    assert server_version("local", {"image": "trixie"}) == "17"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_taken(version: str, load: Load) -> None:
    entry = load(f"parameters: {{postgres_version: {version}}}\n{FLOW}").tests[0].entry
    assert entry.parameters.postgres_version == version


@pytest.mark.parametrize("version", ["9", "12", "19", "99"])
def test_another_version_is_refused(version: str, problems: Problems) -> None:
    assert problems(f"parameters: {{postgres_version: {version}}}\n{FLOW}") == [
        f"suite.yaml:1:32: PostgreSQL {version} cannot be installed (versions 13 to 18 can)"
    ]


# ---- settings

TAKEN = [
    "shared_buffers: 64MB", "shared_buffers: 16", "SHARED_BUFFERS: 0.5GB", "work_mem: 64kB", "fsync: off",
    "fsync: 'y'", "wal_level: logical", "wal_level: hot_standby", "synchronous_commit: true", "statement_timeout: 1.5h",
    "max_connections: '0x40'", "max_connections: '010'", "hash_mem_multiplier: 1.5", "log_timezone: Nowhere/Land",
    "autovacuum_vacuum_cost_delay: 2ms", "pg_stat_statements.max: 5000", "sort_mem: 4MB", "search_path: a",
    "track_activity_query_size: 1kB", "wal_keep_size: 1TB", "log_rotation_age: 1d", "listen_addresses: '*'",
]  # fmt: skip


@pytest.mark.parametrize("text", TAKEN)
@pytest.mark.parametrize("version", ["15", "17"])
def test_what_the_server_takes_is_taken(text: str, version: str, load: Load) -> None:
    assert load(settings(text, version)).tests


REFUSED = [
    ("shared_bufers: 1", "56: PostgreSQL 15 has no setting 'shared_bufers' (did you mean 'shared_buffers'?)"),
    ("summarize_wal: on", "56: PostgreSQL 15 has no setting 'summarize_wal' (PostgreSQL 17 has it)"),
    ("shared_buffers: 64MX", "72: 'shared_buffers' cannot be '64MX': 'MX' is no unit of it (units are B, kB, MB,"
        " GB, TB)"),
    ("shared_buffers: 64mb", "72: 'shared_buffers' cannot be '64mb': 'mb' is no unit of it (units are B, kB, MB,"
        " GB, TB)"),
    ("max_connections: '0900'", "73: 'max_connections' cannot be '0900': it is no number (a leading zero makes it"
        " octal: leave that out)"),
    ("work_mem: lots", "66: 'work_mem' cannot be 'lots': it is no number (such as 64MB)"),
    ("work_mem: 63", "66: 'work_mem' must be from 64kB to 2147483647kB, not '63'"),
    ("shared_buffers: 64kB", "72: 'shared_buffers' must be from 16 (128kB) to 1073741823 (8589934584kB), not '64kB'"),
    ("max_connections: 50kB", "73: 'max_connections' cannot be '50kB': it has no unit (write the number alone)"),
    ("max_connections: true", "73: 'max_connections' cannot be 'on': it is no number (such as 10)"),
    ("fsync: maybe", "63: 'fsync' must be on or off, not 'maybe'"),
    ("fsync: 'o'", "63: 'fsync' must be on or off, not 'o'"),
    ("wal_level: replicas", "67: 'wal_level' cannot be 'replicas' (did you mean 'replica'?)"),
    ("hash_mem_multiplier: 0.5", "77: 'hash_mem_multiplier' must be from 1 to 1000, not '0.5'"),
    ("block_size: 8192", "56: PostgreSQL takes 'block_size' from no configuration (it tells how the server was built or"
        " made)"),
    ("port: 5433", "56: 'port' is not for a suite to set (the role that installs PostgreSQL sets it)"),
    ("include_dir: /tmp", "56: 'include_dir' is not for a suite to set (the role that installs PostgreSQL sets it)"),
    ('search_path: "a\\nb"', "69: the value of 'search_path' has more than one line"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_the_server_would_refuse_is_told_where_it_is_written(
    text: str, said: str, problems: Problems
) -> None:
    assert problems(settings(text)) == [f"suite.yaml:1:{said}"]


def test_a_setting_is_held_against_the_version_of_the_test(load: Load, problems: Problems) -> None:
    assert load(settings("summarize_wal: on", "17")).tests
    assert problems(settings("promote_trigger_file: /x", "17")) == [
        "suite.yaml:1:56: PostgreSQL 17 has no setting 'promote_trigger_file' (PostgreSQL 15 has it)"
    ]


def test_without_a_version_that_of_the_image_counts(load: Load, problems: Problems) -> None:
    text = f"parameters: {{postgres_settings: {{summarize_wal: true}}}}\n{FLOW}"
    assert "PostgreSQL 15 has no setting" in problems(text)[0]
    assert load(f"provider: aws\n{text}").tests  # its image is not known, so the server is asked
    assert load(text.replace("{postgres_s", "{image: trixie, postgres_s")).tests


def test_of_a_version_that_is_not_recorded_the_server_is_asked(load: Load, problems: Problems) -> None:
    assert recorded_versions() == ("15", "17")
    assert load(settings("nothing_like_it: 1", "16")).tests
    assert "'port' is not for a suite to set" in problems(settings("port: 1", "16"))[0]


PATRONI = [
    ("hot_standby: off", "'hot_standby' is always on under Patroni"),
    ("wal_log_hints: off", "'wal_log_hints' is always on under Patroni"),
    (
        "listen_addresses: '*'",
        "'listen_addresses' is not for a suite to set (Patroni sets it, and takes no other",
    ),
    ("max_connections: 10", "'max_connections' must be at least 25 under Patroni, not '10'"),
]


@pytest.mark.parametrize(("text", "said"), PATRONI)
def test_what_patroni_would_not_take_is_told(text: str, said: str, problems: Problems, load: Load) -> None:
    assert load(settings(text)).tests
    (problem,) = problems(settings(text, more="database: patroni, "))
    assert said in problem
    fine = settings("max_connections: 50, wal_log_hints: on", more="database: patroni, ")
    assert load(fine).tests


def test_a_wrong_setting_of_the_matrix_is_told_where_it_stands(problems: Problems) -> None:
    head = "matrix:\n  settings:\n    small: {work_mem: 4MB}\n    large: {work_men: 1GB, work_mem: 1}\n"
    found = problems(head + "parameters: {postgres_settings: '${matrix.settings}'}\n" + FLOW)
    assert found == [
        "suite.yaml:4:13: PostgreSQL 15 has no setting 'work_men' (did you mean 'work_mem'?)",
        "suite.yaml:4:38: 'work_mem' must be from 64kB to 2147483647kB, not '1'",
    ]


@pytest.mark.parametrize("version", recorded_versions())
def test_a_record_is_of_a_real_server(version: str) -> None:
    record = json.loads((RECORDS / f"{version}.json").read_text())
    assert record["version"].startswith(f"{version}.")
    assert len(record["settings"]) > 300
    for name, setting in record["settings"].items():
        assert setting["context"]
        if setting["type"] in ("integer", "real"):
            assert setting["min"] <= setting["max"], name
            assert written(setting["min"], setting.get("unit", ""), whole=True)
        if setting["type"] == "enum":
            assert setting["values"], name


@pytest.mark.parametrize(
    "value", ["9" * 5000, "0x" + "f" * 5000, "0" + "7" * 5000, "1e999", "-1e999", "NaN", ""]
)
def test_no_number_is_too_strange(value: str) -> None:
    for name in ("work_mem", "max_connections", "random_page_cost", "fsync", "wal_level"):
        wrong = wrong_setting("15", name, value)
        assert wrong is not None
        assert len(wrong.message) < 300


def test_quantities_are_those_of_postgresql() -> None:
    assert quantity("1GB", "8kB", whole=True) == 131_072
    assert quantity(" 1.5 min ", "ms", whole=True) == 90_000
    assert quantity("-1", "kB", whole=True) == -1
    assert quantity("2.6", "", whole=True) == 3
    assert quantity("2ms", "s", whole=False) == 0.002
    assert quantity("010.5", "", whole=True) == 10
    assert quantity("09", "", whole=False) == 9
    for text in ("09", "0190", "08kB", "09e1"):
        with pytest.raises(NoQuantity, match="no number"):
            quantity(text, "kB", whole=True)
    with pytest.raises(NoQuantity):
        quantity("1 h", "kB", whole=True)
    assert written(60, "s", whole=True) == "60s"
    assert written(-1, "ms", whole=True) == "-1"


# ---- a database that exists already

EXISTING = "parameters: {database: existing, connection: {env: DATABASE_URL}"


def test_an_existing_database_has_no_nodes(load: Load) -> None:
    (test,) = load(EXISTING + "}\nworkflow: [{step: custom_command, custom_command: [psql]}]").tests
    assert (test.nodes, test.primary, test.entry.parameters.admin_ui) == ((), "", False)
    (test,) = load(EXISTING + ", clients: 2}\nworkflow: [{step: deploy}, {step: destroy}]").tests
    assert (test.nodes, test.primary) == (("c11", "c12"), "")


def test_an_existing_database_needs_a_connection_and_only_that_has_one(problems: Problems) -> None:
    assert problems(
        "parameters: {database: existing}\nworkflow: [{step: custom_command, custom_command: [a]}]"
    ) == [
        "suite.yaml:1:24: database: existing needs 'connection', which says where its connection string is"
        " (write connection: {env: NAME} or connection: {file: PATH})"
    ]
    assert problems(f"parameters: {{connection: {{env: A}}}}\n{FLOW}") == [
        "suite.yaml:1:14: 'connection' is for database: existing, and this one is replication"
    ]


CONNECTIONS = [
    ("{}", "write either {env: NAME} or {file: PATH}"),
    ("{env: A, file: /b}", "write either {env: NAME} or {file: PATH}"),
    ("{env: 'a b'}", "cannot be 'a b'"),
    ("{file: relative}", "cannot be 'relative' (Path of a file that begins with / or ~/)"),
    ("{file: '/x{{ 1 }}'}", "cannot be '/x{{ 1 }}'"),
    ("{url: 'postgresql://u:p@h/d'}", "unknown key 'url' in 'parameters.connection'"),
    ("postgresql://u:p@h/d", "must be a mapping"),
]


@pytest.mark.parametrize(("connection", "said"), CONNECTIONS)
def test_a_connection_is_a_place_and_never_the_string_itself(
    connection: str, said: str, problems: Problems
) -> None:
    found = problems(
        f"parameters: {{database: existing, connection: {connection}}}\nworkflow: [{{step: wait, for: [a]}}]"
    )
    assert any(said in problem for problem in found), found


NOT_HERE = [
    ("cluster_size: 3", "{step: custom_command, custom_command: [a]}", "so no nodes are made for it"),
    ("postgres_version: 15", "{step: custom_command, custom_command: [a]}",
        "so nothing is installed: leave out postgres_version"),
    ("postgres_settings: {fsync: true}", "{step: custom_command, custom_command: [a]}", "leave out postgres_settings"),
    ("admin_ui: true", "{step: custom_command, custom_command: [a]}", "leave out admin_ui"),
    ("backup: true", "{step: custom_command, custom_command: [a]}", "leave out backup"),
    ("clients: 0", "{step: deploy}", "step 'deploy' has nothing to do"),
    ("clients: 0", "{step: init}", "step 'init' has nothing to do"),
    ("clients: 0", "{step: destroy}", "step 'destroy' has nothing to do"),
    ("clients: 1", "{step: stop_cluster}", "step 'stop_cluster' cannot be here"),
    ("clients: 1", "{step: start_client, client: a}", "step 'start_client' cannot be here"),
    ("clients: 1", "{step: drift}", "step 'drift' cannot be here"),
    ("clients: 1", "{step: crash_node, target_node: n11}", "this test has no node 'n11'"),
    ("clients: 1", "{step: validate, checks: [cluster_status]}",
        "check 'cluster_status' looks at the nodes of the database, and the database of this test exists already"),
    ("clients: 1", "{step: validate, checks: [data_integrity]}", "check 'data_integrity' looks at the nodes"),
    ("clients: 1", "{step: validate, checks: [all_nodes_running], allow_failures: ['no_lost_rows:a']}",
        "check 'no_lost_rows' looks at the nodes"),
    ("clients: 0", "{step: validate, checks: [all_nodes_running]}", "looks at nodes, and this test has none"),
    ("synchronous: true", "{step: custom_command, custom_command: [a]}", "it is for database: patroni"),
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "step", "said"), NOT_HERE)
def test_what_needs_nodes_of_the_database_is_refused(
    parameter: str, step: str, said: str, problems: Problems
) -> None:
    found = problems(f"{EXISTING}, {parameter}}}\nworkflow: [{step}]")
    assert any(said in problem for problem in found), found


def test_what_needs_only_clients_is_taken(load: Load) -> None:
    steps = "{step: validate, checks: [all_nodes_running, 'node_status:c11:running']}"
    steps += ", {step: crash_node, target_node: c11}"
    assert load(f"{EXISTING}, clients: 1}}\nworkflow: [{{step: deploy}}, {steps}]").tests
