"""What the page tells of one step: the nodes before and after it, and what the log says of its failure."""

from __future__ import annotations

from report_script import sample

from e2e_ansible.judge.result import StepResult
from e2e_ansible.nodes.observation import NodeObservation, Observation, Patroni, Postgres, PowerState
from e2e_ansible.report.around import around
from e2e_ansible.report.excerpt import excerpt
from e2e_ansible.report.html import html
from e2e_ansible.report.sight import sights

LOG = """
PLAY [Crash n11] ****

TASK [crash_node : Look] ******
ok: [n11]

TASK [crash_node : Refuse] ******
[ERROR]: Task failed: refused
Origin: tasks/ssh.yml:2:3

fatal: [n11]: FAILED! => {"msg": "refused: n11 does not tell who it is"}

PLAY RECAP ****
n11 : ok=1 failed=1
"""


def node(name: str, *, timeline: int = 1, lsn: str = "0/10", recovery: bool = False) -> NodeObservation:
    postgres = Postgres(installed=True, accepting=True, in_recovery=recovery, timeline=timeline, lsn=lsn)
    return NodeObservation(node=name, power=PowerState.ON, reachable=True, postgres=postgres)


def look(at: float, *nodes: NodeObservation) -> StepResult:
    step = sample("all_pass").tests[0].workflow_steps[0]
    return step.model_copy(update={"observation": Observation(at=at, nodes=nodes), "index": int(at)})


def act(started: float, seconds: float) -> StepResult:
    step = sample("all_pass").tests[0].workflow_steps[0]
    return step.model_copy(
        update={"started": started, "ended": started + seconds, "duration": seconds, "observation": None}
    )


def test_the_nearest_looks_are_compared() -> None:
    looks = [
        look(10, node("n11", timeline=9)),
        look(20, node("n11"), node("n12", recovery=True)),
        look(33, node("n11")),
        look(40, node("n11", recovery=True, timeline=2), node("n12", recovery=True, lsn="0/99")),
        look(50, node("n11", timeline=9)),
    ]
    found = around(act(30, 5), looks)
    assert found is not None
    assert (found.before, found.after) == (looks[1], looks[3])
    (change,) = found.changes
    assert (change.node, change.what) == ("n11", "postgres")
    assert (change.before, change.after) == ("primary, timeline 1, 0/10", "standby, timeline 2, 0/10")
    assert found.same == ("n12",), "a position in the log that moved on is no change"


def test_with_one_look_its_sights_are_told_and_with_none_nothing() -> None:
    only = look(50, node("n11"))
    found = around(act(30, 5), [only])
    assert found is not None
    assert (found.before, found.after, [one.node for one in found.sights]) == (None, only, ["n11"])
    assert around(act(30, 5), []) is None
    assert around(only, [only]) is None, "a look tells what it saw itself"


def test_a_node_that_came_or_went_is_a_change() -> None:
    found = around(act(30, 5), [look(20, node("n11")), look(40, node("n11"), node("n12"))])
    assert found is not None
    assert [(one.node, one.before, one.after[:8]) for one in found.changes] == [
        ("n12", "not there", "power on")
    ]


def test_an_excerpt_is_the_task_that_failed() -> None:
    text = excerpt(LOG)
    assert text.startswith("TASK [crash_node : Refuse]\n[ERROR]: Task failed: refused")
    assert text.endswith('"refused: n11 does not tell who it is"}')
    assert "RECAP" not in text
    assert "Look" not in text


def test_an_excerpt_is_never_long() -> None:
    long = LOG.replace("Origin", "\n".join("y" * 1000 for _ in range(50)) + "\nOrigin")
    assert len(excerpt(long * 20)) < 100_000
    assert "lines left out" in excerpt(long)
    assert "characters more in the log" in excerpt(long)


def test_without_a_failed_task_it_is_the_end_of_the_log() -> None:
    assert excerpt("TASK [a]\nok: [n11]\n\nPLAY RECAP ***\nn11 : ok=1") == "TASK [a]\nok: [n11]"
    assert excerpt("") == ""


def test_the_page_shows_both() -> None:
    result = sample("failover")
    page = html(result, excerpts={("tests/failover", "13-validate"): excerpt(LOG)})
    assert "refused: n11 does not tell who it is" in page
    assert "Nodes before and after" in page
    assert "leader running, timeline 1" in page


def test_patroni_is_seen_in_few_words() -> None:
    patroni = Patroni(answers=True, role="replica", state="streaming", timeline=3, lag_bytes=4096, etcd=False)
    silent = Patroni(answers=False, error="connection refused")
    nodes = [node("n11").model_copy(update={"patroni": one}) for one in (patroni, silent)]
    seen = [one.patroni for one in sights(Observation(at=1, nodes=tuple(nodes)))]
    assert seen == [
        "replica streaming, timeline 3, 4096 B behind, etcd without quorum",
        "no answer (connection refused)",
    ]
