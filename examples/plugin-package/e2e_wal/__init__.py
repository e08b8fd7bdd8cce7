"""A check and a step type for e2e-ansible, found by their entry points."""
