"""Tests whether a database cluster survives: compile a suite to playbooks, run it on real nodes, judge it."""

__version__ = "0.1.0"
