"""Imported by every interpreter that has this folder on its path: no connection leaves the machine.

ultralytics looks for updates, fonts and weights in more ways than it has switches for, and a release that hangs on one
of them would hang the tests. A connection that is refused at once is what it meets on a machine that is offline.
"""

import os
import socket

LOCAL = {None, "", "localhost", "127.0.0.1", "::1", socket.gethostname()}

_connect = socket.socket.connect
_resolve = socket.getaddrinfo


def connect(self, address):
    """Connect within this machine only."""
    if isinstance(address, tuple) and address[0] not in LOCAL:
        raise OSError(f"offline: {address[0]} is not this machine")
    return _connect(self, address)


def resolve(host, *arguments, **options):
    """Resolve the names of this machine only."""
    if host not in LOCAL:
        raise socket.gaierror(socket.EAI_NONAME, f"offline: {host} is not this machine")
    return _resolve(host, *arguments, **options)


socket.socket.connect = connect
socket.getaddrinfo = resolve

# A worker that was launched to train with others; see there.
if "LOCAL_RANK" in os.environ:
    import gloo  # noqa: F401
