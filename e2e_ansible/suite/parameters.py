"""What a suite says of the cluster under test and of its machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from e2e_ansible.suite.coverage import CoverageOptions
from e2e_ansible.suite.hardware import Hardware, check_hardware
from e2e_ansible.suite.labels import LABEL_PATTERN, check_labels, check_site, labels_of, node_names
from e2e_ansible.suite.patroni import check_settings
from e2e_ansible.suite.strict import Strict
from e2e_ansible.suite.stroppy import StroppySource

__all__ = ["BackupOptions", "Database", "Parameters", "Scalar"]

Scalar = str | int | float | bool
Database = Literal["standalone", "replication", "patroni", "existing"]


def _as_text(value: object) -> object:
    # YAML reads `postgres_version: 17` as a number, and everybody writes it so.
    return str(value) if type(value) is int else value


MajorVersion = Annotated[
    str,
    Field(pattern=r"^(\d{1,2})?$"),
    BeforeValidator(_as_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(\d{1,2})?$"},
                {"type": "integer", "minimum": 0, "maximum": 99},
            ]
        }
    ),
]


class BackupOptions(Strict):
    """Backups made while the test runs."""

    interval_seconds: int = Field(3600, ge=10, le=604_800, description="Seconds between two backups")
    type: Literal["full", "diff", "incr"] = Field("full", description="Type of the backups after the first")


Words = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
Label = Annotated[str, Field(pattern=LABEL_PATTERN)]
Labels = Mapping[Label, Words]
#: Also the labels of their nodes, so they are none of the other labels.
Sites = Annotated[
    Mapping[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")],
        Annotated[int, Field(ge=1, le=9)],
    ],
    Field(min_length=2, max_length=2),
]


class Connection(Strict):
    """Where the connection string of a database is that exists already. The string itself is a secret."""

    env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$", description="Name of an environment variable"
    )
    file: str | None = Field(
        None, pattern=r"^(/|~/)[^{}\n]{1,4000}$", description="Path of a file that begins with / or ~/"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Connection:
        if (self.env is None) == (self.file is None):
            raise ValueError("write either {env: NAME} or {file: PATH}")
        return self


class Parameters(Strict):
    """What the cluster under test is. Sizes are in the unit of their name."""

    cluster_size: int = Field(
        3, ge=0, le=99, description="Number of nodes: n11, n12, ...; none with an existing database"
    )
    database: Database = Field(
        "replication",
        description="One primary with streaming replicas, every node for itself, automatic failover by Patroni, or "
        "one that exists already",
    )
    connection: Connection | None = Field(
        None, description="For `existing`: where its connection string is, {env: NAME} or {file: PATH}"
    )
    sites: Sites | None = Field(
        None,
        description="For `patroni`: two clusters of their own, name to number of nodes; one follows the other",
    )
    synchronous: bool | Literal["strict"] | None = Field(
        None,
        description="For `patroni`: a commit waits for a replica; with `strict` also when there is none (no)",
    )
    patroni_settings: Mapping[str, Scalar] | None = Field(
        None, description="For `patroni`: its settings, name to value, such as `ttl`"
    )
    clients: int = Field(
        0, ge=0, le=20, description="Number of nodes that only drive load, without a database: c11, c12, ..."
    )
    postgres_version: MajorVersion = Field("", description="Major version; empty: the newest there")
    postgres_settings: Mapping[str, Scalar] = Field(
        default_factory=dict, description="PostgreSQL settings, name to value"
    )
    admin_ui: bool = Field(True, description="Install the web interface (Cockpit) on every node")
    backup: bool | BackupOptions | None = Field(
        None, description="Archive WAL and make backups with pgBackRest; a mapping says how often"
    )
    proxy: Literal["none", "haproxy"] | None = Field(
        None, description="What leads writes to the leader of a Patroni cluster, on port 5000"
    )
    exporter: bool | None = Field(
        None, description="Install the Prometheus exporter of PostgreSQL on port 9187"
    )
    coverage: CoverageOptions | None = Field(
        None, description="Collect from every node what a program under test noted of its lines that ran"
    )
    stroppy: StroppySource | None = Field(
        None, description="Where the load generator Stroppy comes from, else a pinned commit that Go builds"
    )
    libvirt_memory_gb: int | None = Field(None, ge=1, le=4096, description="Memory of a virtual machine")
    libvirt_vcpus: int | None = Field(None, ge=1, le=512, description="Processors of a virtual machine")
    instance_type: str | Words | None = Field(
        None,
        description="Type of the machines in the provider's own words; of several, the next is tried when one is out",
    )
    image: str | None = Field(None, description="What machines are made of, in the provider's own words")
    region: str | None = Field(None, description="Where the provider is asked; else what its SDK is set to")
    zones: Words | None = Field(
        None, description="Zones or locations; the next is tried when one has no capacity"
    )
    network: str | None = Field(None, description="Network of the machines, else the provider's default")
    subnet: str | None = Field(None, description="Part of the network")
    security_groups: Words | None = Field(None, description="Firewall rules of the machines, by name or id")
    public_address: bool | None = Field(None, description="Whether machines get a public address (yes)")
    ssh_user: str | None = Field(
        None, description="Who logs in, else the usual user of the provider's images"
    )
    expires_hours: float | None = Field(
        None, gt=0, le=8760, description="When `reap` may remove the machines (24)"
    )
    inventory: str | None = Field(
        None, description="Of provider `static`: the inventory file with the machines"
    )

    @field_validator("stroppy")
    @classmethod
    def _coverage_has_a_place(cls, value: StroppySource | None, info: ValidationInfo) -> object:
        if value and value.coverage and info.data.get("coverage", "") is None:
            raise ValueError(
                "coverage needs the parameter coverage, for where it is noted: write coverage: {}"
            )
        return value

    @model_validator(mode="before")
    @classmethod
    def _as_large_as_its_sites(cls, given: object) -> object:
        if not isinstance(given, dict) or not isinstance(given.get("sites"), dict):
            return given
        sizes = given["sites"].values()
        known = bool(sizes) and all(type(size) is int for size in sizes)
        return {"cluster_size": sum(sizes), **given} if known else given

    @model_validator(mode="before")
    @classmethod
    def _without_nodes_of_its_own(cls, given: object) -> object:
        exists = isinstance(given, dict) and given.get("database") == "existing"
        return (
            {"cluster_size": 0, "admin_ui": False, **given} if exists and isinstance(given, dict) else given
        )

    @field_validator("sites")
    @classmethod
    def _two_clusters(cls, value: Sites | None, info: ValidationInfo) -> Sites | None:
        for site in value or ():
            check_site(site)
        nodes = sum(value.values()) if value else None
        if nodes is not None and info.data.get("cluster_size", nodes) != nodes:
            raise ValueError(
                f"they have {nodes} nodes together, and cluster_size is {info.data['cluster_size']}"
            )
        return value

    @field_validator("proxy")
    @classmethod
    def _leads_to_a_leader(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value == "haproxy" and info.data.get("database", "patroni") != "patroni":
            raise ValueError("it asks Patroni who takes writes, so it is for database: patroni")
        return value

    @field_validator("sites", "synchronous", "patroni_settings")
    @classmethod
    def _for_patroni(cls, value: object, info: ValidationInfo) -> object:
        if value and info.data.get("database", "patroni") != "patroni":
            raise ValueError("it is for database: patroni")
        return value

    @field_validator("patroni_settings")
    @classmethod
    def _known(cls, value: Mapping[str, Scalar] | None) -> Mapping[str, Scalar] | None:
        if value:
            check_settings(value)
        return value

    labels: Labels | None = Field(
        None, description="Labels of nodes beside those that they have by themselves: {label: [n11, c11]}"
    )
    hardware: Mapping[Label, Hardware] | None = Field(
        None, description="What each node with a label has: {label: {cpus: 2, memory_gb: 4, disk_gb: 20}}"
    )

    @field_validator("labels")
    @classmethod
    def _of_its_nodes(cls, value: Labels | None, info: ValidationInfo) -> Labels | None:
        known = {"cluster_size", "clients"} <= info.data.keys()
        nodes = node_names(info.data["cluster_size"], info.data["clients"]) if known else None
        check_labels(value or {}, nodes, info.data.get("sites") or ())
        return value

    @field_validator("hardware")
    @classmethod
    def _on_its_nodes(cls, value: Mapping[str, Hardware] | None, info: ValidationInfo) -> object:
        if value and {"cluster_size", "sites", "clients", "labels"} <= info.data.keys():
            check_hardware(value, _labels(info.data))
        return value

    @property
    def labels_by_node(self) -> Mapping[str, tuple[str, ...]]:
        """Node names in order, n11, n12, ..., then those that only drive load, c11, ...; and their labels."""
        return _labels(self.__dict__)

    data_volumes_per_node: int | None = Field(None, ge=0, le=64, description="Number of data volumes")
    data_volume_size: int | None = Field(None, ge=1, le=65_536, description="GB of each data volume")
    root_volume_size: int | None = Field(None, ge=1, le=65_536, description="GB of the root volume")


def _labels(given: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Of fields of `Parameters`, which are checked."""
    sizes = given["sites"] or {}
    sites: list[tuple[str, ...]] = [(site,) for site, size in sizes.items() for _ in range(size)]
    return labels_of(sites or [()] * given["cluster_size"], given["clients"], given["labels"] or {})
