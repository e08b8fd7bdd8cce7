"""Serves neutron, which gives addresses and binds ports; the agents it believes in exist in its database only.

Run by the Python that has neutron: `serve_neutron.py PORT HOST...`, OS_NEUTRON_CONFIG_DIR names the folder.
"""

import importlib
import sys

import patient_sqlite  # noqa: F401
from neutron import server
from neutron.db.migration.models import head
from neutron_lib import context
from neutron_lib.db import api
from neutron_lib.plugins import directory
from oslo_utils import timeutils
from serve_wsgi import serve


def add_agent(host):
    """One that says it can wire machines on that host."""
    agent = {
        "agent_type": "Open vSwitch agent",
        "binary": "neutron-openvswitch-agent",
        "host": host,
        "topic": "N/A",
        "configurations": {"bridge_mappings": {}, "tunnel_types": [], "datapath_type": "system"},
        "start_flag": True,
    }
    directory.get_plugin().create_or_update_agent(context.get_admin_context(), agent, timeutils.utcnow())


def main():
    port, *hosts = sys.argv[1:]
    sys.argv[1:] = []
    server._init_configuration("neutron-api")
    with api.CONTEXT_WRITER.get_engine().begin() as connection:
        head.get_metadata().create_all(connection)
    application = importlib.import_module("neutron.wsgi.api").application
    for host in hosts:
        add_agent(host)
    serve(application, int(port))


if __name__ == "__main__":
    main()
