#!/usr/bin/python
"""A module beside the playbook."""

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(argument_spec={})
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
