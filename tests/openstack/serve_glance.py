"""Serves glance with a database of its own; images are files.

Run by the Python that has glance: `serve_glance.py PORT`, OS_GLANCE_CONFIG_DIR names the folder.
"""

import sys

from glance.common import config, wsgi_app
from glance.db.sqlalchemy import api, models
from serve_wsgi import serve


def main():
    port = int(sys.argv[1])
    sys.argv[1:] = []
    config.parse_args(args=[], default_config_files=wsgi_app._get_config_files())
    models.register_models(api.get_engine())
    serve(wsgi_app.init_app(), port)


if __name__ == "__main__":
    main()
