"""A filter beside the playbook."""


class FilterModule:
    """One filter."""

    def filters(self):
        """By name."""
        return {"shout": str.upper}
