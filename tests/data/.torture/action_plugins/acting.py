"""An action plugin beside the playbook."""

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Says what it was told."""

    def run(self, tmp=None, task_vars=None):
        """Return the argument."""
        result = super().run(tmp, task_vars)
        return {**result, "acted": self._task.args.get("what"), "changed": True}
