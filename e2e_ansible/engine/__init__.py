"""Runs one playbook on one inventory and streams events: ansible-runner here, a replaying fake in tests."""
