"""`python -m e2e_ansible`."""

from __future__ import annotations

from e2e_ansible.cli import main

main()
