"""`e2e-ansible providers`: the power table."""

from __future__ import annotations

__all__ = ["providers"]


def providers() -> None:
    """Print what each provider can do, and what to do instead where it cannot."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from e2e_ansible.providers.capabilities import PROVIDERS
    from e2e_ansible.providers.registry import provider_names

    drivers = provider_names()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("provider", "operation", "", "how, or what instead"):
        table.add_column(heading, overflow="fold")
    for name, row in PROVIDERS.items():
        for number, (requirement, cell) in enumerate(row.items()):
            label = (name if name in drivers else f"{name} (plan only)") if number == 0 else ""
            table.add_row(
                Text(label, style="bold"),
                Text(requirement.value),
                Text("yes" if cell.supported else "no", style="green" if cell.supported else "red"),
                Text(cell.note),
            )
        table.add_section()
    Console().print(table)
