"""The role admin_ui on a real node: Cockpit answers, and does not when it is stopped."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator

import pytest
from role_nodes import Cluster, cluster

pytestmark = pytest.mark.nodes
NODE = ("n11",)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(NODE, tmp_path_factory.mktemp("inventory")) as made:
        yield made


def status(nodes: Cluster) -> int:
    """Status of one GET from the controller, 0 when nothing answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        nodes.variable("n11", "ansible_host"), 9090, timeout=5, context=context
    )
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return 0


def test_answers_after_the_role_and_not_after_a_stop(nodes: Cluster) -> None:
    assert status(nodes) == 0
    looked = nodes.play("admin_ui", NODE, "--check")
    assert looked.code == 0, looked.output
    assert looked.changed == {"n11": 1}
    assert status(nodes) == 0

    made = nodes.play("admin_ui", NODE)
    assert made.code == 0, made.output
    print(f"admin_ui: {made.seconds:.1f} s")
    assert status(nodes) == 200
    assert nodes.play("admin_ui", NODE).changed == {"n11": 0}

    nodes.ssh("n11", "systemctl stop cockpit.socket cockpit.service")
    assert status(nodes) == 0
    assert nodes.play("admin_ui", NODE).changed == {"n11": 1}
    assert status(nodes) == 200


def test_fails_when_nobody_answers(nodes: Cluster) -> None:
    folder = "/run/systemd/system/cockpit.service.d"
    nodes.ssh("n11", f"systemctl stop cockpit.socket cockpit.service; mkdir -p {folder}")
    nodes.ssh(
        "n11",
        f"cat > {folder}/mute.conf; systemctl daemon-reload",
        text="[Service]\nExecStart=\nExecStart=sleep 100\n",
    )
    try:
        refused = nodes.play("admin_ui", NODE, admin_ui_ready_timeout=2)
        assert refused.code != 0
        assert "does not answer after 2 s" in " ".join(refused.output.split())
    finally:
        nodes.ssh(
            "n11", f"rm -r {folder}; systemctl daemon-reload; systemctl stop cockpit.socket cockpit.service"
        )


def test_installs_the_package(nodes: Cluster) -> None:
    nodes.ssh("n11", "DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge cockpit-ws cockpit-bridge")
    made = nodes.play("admin_ui", NODE)
    assert made.code == 0, made.output
    assert status(nodes) == 200
