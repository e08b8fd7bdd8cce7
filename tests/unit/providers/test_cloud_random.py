"""Whatever goes wrong, and in whatever order: after a failed create no machine is left that the error does not name."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from memory_cloud import Account, MemoryCloud, provider, trouble

from e2e_ansible.errors import CleanUpError, E2EError
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.trouble import Trouble

CALLS = ("machines", "resources", "remaining", "create", "delete", "remove")
NODES = ("n11", "n12", "n13")
FATES = st.one_of(
    st.none(),
    st.sampled_from(Trouble).map(lambda kind: (kind, False)),
    st.just((Trouble.TRANSIENT, True)),
)
PLANS = st.dictionaries(st.sampled_from(CALLS), st.lists(FATES, max_size=8))
Plans = dict[str, list[tuple[Trouble, bool] | None]]


def order_trouble(cloud: MemoryCloud, plans: Plans) -> None:
    for call, fates in plans.items():
        made = [fate and (trouble(fate[0]), fate[1]) for fate in fates]
        cloud.plan(call, *[fate if fate is None or fate[1] else fate[0] for fate in made])


def try_to_create(made: CloudProvider) -> E2EError | None:
    try:
        made.create("demo")
    except E2EError as error:
        return error
    return None


@settings(max_examples=40, deadline=None)
@given(plans=PLANS, stuck=st.sets(st.sampled_from(NODES), max_size=1), immortal=st.booleans())
def test_a_failed_create_leaves_nothing_unnamed(plans: Plans, stuck: set[str], immortal: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        account = Account(stuck=stuck, immortal={"i-2"} if immortal else set())
        made, cloud = provider(Path(folder), account, call=0.05, whole=0.1)
        nodes = tuple(NodeSpec(name=name) for name in NODES)
        made.prepare(DeploymentSpec(id="demo", nodes=nodes, parameters={"zones": ["a", "b"]}))
        order_trouble(cloud, plans)
        error = try_to_create(made)
        cloud.plans.clear()
        left = {vm.order.machine for vm in account.vms.values()}
        if error is None:
            assert sorted(vm.order.node for vm in account.vms.values()) == list(NODES)
        elif isinstance(error, CleanUpError):
            assert all(name in str(error) for name in left), (error, left)
        else:
            assert not left, (error, left)
            assert not account.resources
        account.immortal = set()
        provider(Path(folder), account)[0].destroy("demo")
        assert (account.vms, account.resources) == ({}, {})
