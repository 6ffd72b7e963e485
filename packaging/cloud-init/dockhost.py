"""Makes cloud-init ignore parts of type text/x-dockhost.

Without this handler cloud-init warns about each of them. It loads the handler
from /var/lib/cloud/handlers, to which systemd-tmpfiles links it.
"""


def list_types():
    return ["text/x-dockhost"]


def handle_part(_data, _ctype, _filename, _payload):
    """Do nothing: dockhost reads the part itself."""
