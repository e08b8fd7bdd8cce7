"""Serves nova with all its parts in one process: API, conductor, scheduler, and a compute service for each host.

In one process they need no message broker. The machines are those of nova's own fake driver: no guest runs, all else
is nova. Run by the Python that has nova, when keystone and placement answer: `serve_nova.py PORT HOST=DRIVER...`,
OS_NOVA_CONFIG_DIR names the folder.
"""

from nova import monkey_patch

monkey_patch.patch(backend="threading")

import os  # noqa: E402
import sys  # noqa: E402
import warnings  # noqa: E402

import os_vif  # noqa: E402
import patient_sqlite  # noqa: E402, F401
from nova import context, service  # noqa: E402
from nova.api.openstack import wsgi_app  # noqa: E402
from nova.cmd import manage  # noqa: E402
from nova.compute import rpcapi as compute_rpc  # noqa: E402
from nova.conductor import rpcapi as conductor_rpc  # noqa: E402
from nova.objects import host_mapping  # noqa: E402
from nova.scheduler import rpcapi as scheduler_rpc  # noqa: E402
from serve_wsgi import Threading, serve  # noqa: E402


def make_databases(folder):
    """Both databases, and the two cells that every nova has."""
    manage.ApiDbCommands().sync()
    cells = manage.CellV2Commands()
    cells.map_cell0(f"sqlite:///{folder}/nova_cell0.sqlite")
    manage.DbCommands().sync()
    cells.create_cell(name="cell1")


def start(binary, topic, **more):
    """One service, in threads of this process."""
    service.Service.create(binary=binary, topic=topic, **more).start()


def main():
    port, *hosts = sys.argv[1:]
    sys.argv[1:] = []
    folder = os.environ["OS_NOVA_CONFIG_DIR"]
    wsgi_app.init_global_data(wsgi_app._get_config_files(), "osapi_compute", "nova-api")
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    make_databases(folder)
    os_vif.initialize()
    start("nova-conductor", conductor_rpc.RPC_TOPIC)
    start("nova-scheduler", scheduler_rpc.RPC_TOPIC)
    for host, _, driver in (each.partition("=") for each in hosts):
        wsgi_app.CONF.set_override("compute_driver", f"fake.{driver}")
        start("nova-compute", compute_rpc.RPC_TOPIC, host=host, topic_alt=compute_rpc.RPC_TOPIC_ALT)
    host_mapping.discover_hosts(context.get_admin_context())
    serve(wsgi_app.init_application("osapi_compute", "nova-api"), int(port), Threading)


if __name__ == "__main__":
    main()
