"""Tells cloud-init whose parts of type text/x-dockhost are: not its own.

Without it cloud-init warns of each. cloud-init loads it from
/var/lib/cloud/handlers, where systemd-tmpfiles puts a link to it.
"""


def list_types():
    return ["text/x-dockhost"]


def handle_part(_data, _ctype, _filename, _payload):
    """Do nothing: dockhost reads the part itself."""
