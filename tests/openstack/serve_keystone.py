"""Serves keystone with a database, keys and an administrator of its own.

Run by the Python that has keystone: `serve_keystone.py PORT PASSWORD`, OS_KEYSTONE_CONFIG_DIR names the folder.
"""

import multiprocessing
import sys

import keystone.conf
import keystone.server
from keystone.cmd.bootstrap import Bootstrapper
from keystone.common import fernet_utils, provider_api
from keystone.common.sql import upgrades
from keystone.server.flask import core
from serve_wsgi import serve

PROVIDERS = provider_api.ProviderAPIs


def make_keys(group, name):
    """The keys of tokens or of credentials, in the folder that the configuration names."""
    keys = fernet_utils.FernetUtils(group.key_repository, 2, name)
    keys.create_key_directory()
    keys.initialize_key_repository()


def make_administrator(port, password):
    """User, project and role `admin`, and the identity service in the catalog."""
    first = Bootstrapper()
    first.admin_username = first.project_name = first.admin_role_name = "admin"
    first.admin_password = password
    first.service_name = "keystone"
    first.region_id = "RegionOne"
    first.public_url = first.internal_url = f"http://127.0.0.1:{port}/v3"
    first.bootstrap()
    # The services log in as the administrator, and believe each other with this role only.
    PROVIDERS.role_api.create_implied_role(first.admin_role_id, first.service_role_id)


def prepare(port, password):
    """All that is there before keystone first starts."""
    keystone.server.configure(config_files=core._get_config_files())
    make_keys(keystone.conf.CONF.fernet_tokens, "fernet_tokens")
    make_keys(keystone.conf.CONF.credential, "credential")
    upgrades.offline_sync_database_to_version()
    make_administrator(port, password)


def main():
    port, password = int(sys.argv[1]), sys.argv[2]
    sys.argv[1:] = []
    # In a process of its own: what makes the administrator keeps the application from being made after it.
    before = multiprocessing.Process(target=prepare, args=(port, password))
    before.start()
    before.join()
    if before.exitcode:
        raise SystemExit("keystone could not be prepared")
    serve(core.initialize_application(name="public", config_files=core._get_config_files()), port)


if __name__ == "__main__":
    main()
