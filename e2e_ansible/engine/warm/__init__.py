"""The warm engine: a parent that has imported Ansible once, and forks a child for every playbook.

`parent` is the program of that process, `link` the way to it, `spawn` what ansible-runner holds in place of a
process it started itself, and `engine` the engine over all of them.
"""
