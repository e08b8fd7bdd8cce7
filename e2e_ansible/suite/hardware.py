"""What machines a test wants, by label: reserved before anything is made, and made where the provider can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion
from e2e_ansible.suite.part import WrongPart

__all__ = ["Hardware", "check_hardware", "hardware_of", "read_hardware"]


class Hardware(BaseModel):
    """What a node has, at least one of them; what is left out is the provider's usual."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    cpus: float | None = Field(
        None, gt=0, le=512, description="Processors; for a container also parts of one"
    )
    memory_gb: float | None = Field(None, gt=0, le=4096, description="GiB of memory")
    disk_gb: float | None = Field(None, gt=0, le=65_536, description="GiB of disk")

    @classmethod
    def nothing(cls) -> Hardware:
        """All of it is the provider's usual."""
        return cls.model_construct(cpus=None, memory_gb=None, disk_gb=None)

    @model_validator(mode="after")
    def _says_something(self) -> Hardware:
        if self.cpus is None and self.memory_gb is None and self.disk_gb is None:
            raise ValueError("it says nothing: give cpus, memory_gb or disk_gb")
        return self


def check_hardware(hardware: Mapping[str, Hardware], labels: Mapping[str, Sequence[str]]) -> None:
    """See that there are nodes for all of it; `labels` are those of each node.

    Raises:
        WrongPart: no node has a label.
    """
    there = {label for has in labels.values() for label in has}
    for label in hardware:
        if label not in there:
            text = f"no node of this test has the label {label!r}"
            raise WrongPart(text, (label,), hint=suggestion(label, there), of_key=True)


def read_hardware(given: object) -> dict[str, Hardware]:
    """Hardware by label as plain data; None is none.

    Raises:
        UsageError: it is no mapping.
        ValueError: it has something else in it.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(f"hardware is a mapping of labels, not {given!r}")
    return {str(label): Hardware.model_validate(each) for label, each in given.items()}


def hardware_of(labels: Sequence[str], hardware: Mapping[str, Hardware]) -> Hardware | None:
    """What a node with these labels has: of several that speak of it, the largest of each; None when none does."""
    found = [hardware[label] for label in labels if label in hardware]
    if not found:
        return None
    return Hardware(
        cpus=_largest([each.cpus for each in found]),
        memory_gb=_largest([each.memory_gb for each in found]),
        disk_gb=_largest([each.disk_gb for each in found]),
    )


def _largest(amounts: Sequence[float | None]) -> float | None:
    return max((amount for amount in amounts if amount is not None), default=None)
