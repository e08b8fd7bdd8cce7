"""Hardware at the providers that make it: control groups of either version, and sizes of virtual machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.machine import Order, Place
from e2e_ansible.providers.libvirt.size import Size, largest_memory_mb, size_of
from e2e_ansible.providers.local.limits import Limits, enforced, make_limits, unit_properties

LIMITS = Limits(cpus=0.5, memory_mb=256)


def test_limits_in_separate_hierarchies(tmp_path: Path) -> None:
    for name in ("memory", "cpu"):
        (tmp_path / name).mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("9")
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("-1")
    assert enforced(tmp_path) == {"cpus", "memory_gb"}
    memory, cpu = make_limits("m", LIMITS, tmp_path)
    assert (memory / "memory.limit_in_bytes").read_text() == str(256 * 1024**2)
    assert (cpu / "cpu.cfs_quota_us").read_text() == "50000"
    assert make_limits("m", Limits(), tmp_path) == []


def test_limits_in_one_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory io\n")
    (tmp_path / "e2e-m").mkdir()
    assert enforced(tmp_path) == {"cpus", "memory_gb"}
    assert make_limits("m", LIMITS, tmp_path) == []
    assert (tmp_path / "e2e-m/memory.max").read_text() == str(256 * 1024**2)
    assert (tmp_path / "e2e-m/cpu.max").read_text() == "50000 100000"


def test_a_kernel_that_cannot_be_told(tmp_path: Path) -> None:
    assert enforced(tmp_path) == frozenset()
    (tmp_path / "cgroup.controllers").write_text("hugetlb\n")
    assert enforced(tmp_path) == frozenset()


def test_limits_of_a_unit() -> None:
    assert list(unit_properties(LIMITS)) == ["MemoryMax=256M", "MemorySwapMax=0", "CPUQuota=50%"]
    assert list(unit_properties(Limits())) == []


def order(*labels: str, **settings: object) -> Order:
    return Order(
        deployment="d",
        node="n11",
        machine="m",
        token="t",
        place=Place(),
        image="",
        user="root",
        public_key="",
        user_data="",
        tags={f"e2e-label-{label}": "yes" for label in labels},
        settings=settings,
    )


def test_a_virtual_machine_has_what_its_labels_say() -> None:
    hardware = {"database": {"cpus": 1.5, "memory_gb": 0.5, "disk_gb": 4}}
    assert size_of(order("database", hardware=hardware)) == Size(512, 2, 4096)
    assert size_of(order("client", hardware=hardware, libvirt_memory_gb="3")) == Size(3072, 2, 0)
    assert size_of(order("database")) == Size(2048, 2, 0)
    assert largest_memory_mb({"hardware": {"database": {"memory_gb": 3.5}}}) == 3584
    assert largest_memory_mb({"hardware": hardware, "libvirt_memory_gb": 1}) == 1024
    with pytest.raises(UsageError, match=r"0\.1 GiB is no memory"):
        size_of(order("database", hardware={"database": {"memory_gb": 0.1}}))
