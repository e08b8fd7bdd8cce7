"""`e2e-ansible providers`: the power table."""

from __future__ import annotations

__all__ = ["providers"]


def providers() -> None:
    """Show what each provider can do. Where it cannot, the table says what to do instead."""
    from rich.console import Console

    from e2e_ansible.providers.capabilities import PROVIDERS
    from e2e_ansible.providers.registry import provider_names
    from e2e_ansible.report.table import print_table

    drivers = provider_names()
    rows = [("provider and operation", "", "how, or what instead")]
    for name, row in PROVIDERS.items():
        rows.append((name if name in drivers else f"{name} (plan only)", "", ""))
        for requirement, cell in row.items():
            rows.append((f"  {requirement.value}", "yes" if cell.supported else "no", cell.note))
    print_table(Console(), rows, wraps=2)
