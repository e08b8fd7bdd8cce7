#!/usr/bin/python
"""A module beside the playbook."""

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(argument_spec={"word": {"type": "str", "required": True}})
    module.exit_json(changed=False, echoed=module.params["word"][::-1])


if __name__ == "__main__":
    main()
