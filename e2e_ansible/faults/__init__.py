"""Faults: what is done to a node, how its effect is proved, what heals it and how that is proved."""
