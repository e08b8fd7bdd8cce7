"""Looks at the nodes of a soak all the time, and says when something is wrong for too long."""
