"""`python -m dashboard class` opens the dashboard for a class on this network.

It says what that means, waits for Enter, prints the address, the code, a QR picture and the teacher's link, and serves.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import sys
import textwrap
from collections.abc import Sequence

import psutil

from dashboard import classroom
from mnist_core.errors import ConfigError, MnistCoreError
from mnist_core.runs.classroom import Classroom
from mnist_core.runs.store import Store

FIRST_PORT = 8501
PORTS = 20
"""So many ports are tried, from the first."""
WIDTH = 88

MEANING = """
This opens the dashboard to the network that this computer is in, until you stop it.

- Everybody on this network who has the code can see all runs of this store, train on this computer, draw digits and
  upload predictions. Each gives a name once; there is no account and no password.
- A name can change what is its own only. Your own link, the teacher's, can delete, stop and pin everything: keep it.
- Nothing is encrypted, as there is no certificate for such an address. Whoever controls the network could read it. Use
  a network that you trust, and no names that must stay secret.
- Nothing is sent outside of this network. Ctrl-C ends it; the runs stay.
"""


def main(arguments: Sequence[str]) -> int:
    """Open a class; an option that is not its own goes to Streamlit. Return the exit code."""
    options, rest = _parser().parse_known_args(arguments)
    try:
        own = own_addresses()
        if not options.address and not own:
            raise ConfigError(
                "this computer is in no network; join one, or open a hot spot, then start again "
                "(`--address 127.0.0.1` tries it on this computer alone)"
            )
        address = options.address or own[0]
        if not _is_address(address):
            raise ConfigError(f"{address!r} is no address of this computer, such as 192.168.1.5; leave --address out")
        port = options.port or free_port()
        room = Classroom(Store().root, new=options.new)
    except MnistCoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    os.environ[classroom.CLASS_VARIABLE] = f"http://{address}:{port}"
    for part in MEANING.strip().split("\n\n"):
        print(part if part.startswith("-") else textwrap.fill(part, WIDTH), end="\n\n")
    others = [other for other in own if other != address]
    if others:
        print(f"It opens {address}. This computer also is {', '.join(others)}; --address chooses.\n")
    if not options.yes and not _agreed():
        return 1
    print(invitation(room, port), flush=True)
    from dashboard.__main__ import serve

    local = ipaddress.ip_address(address).is_loopback
    hosts = dict.fromkeys([address, "localhost", "127.0.0.1"])
    serve(
        [
            *("--server.address", address if local else "0.0.0.0"),
            *("--server.port", str(port)),
            *("--server.headless", "true"),
            *(part for host in hosts for part in ("--server.allowedHosts", host)),
            *rest,
        ]
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 start.py class", description="Open the dashboard for a class on this network.",
        epilog="Any option of `streamlit run` may follow. More in docs/classroom.md.", allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not wait for Enter")
    parser.add_argument("--new", action="store_true", help="a new class: another code, and names are asked again")
    parser.add_argument("--address", help="of this computer, where it has several; default: that of its way out")
    parser.add_argument("--port", "--server.port", type=int, help=f"default: the first free one from {FIRST_PORT}")
    return parser


def _agreed() -> bool:
    """True if somebody presses Enter."""
    try:
        input("Press Enter to open it, Ctrl-C to leave it closed. ")
    except (EOFError, KeyboardInterrupt):
        print("\nNothing was opened. Where nobody can press Enter, add --yes.")
        return False
    return True


def invitation(room: Classroom, port: int) -> str:
    """Return what is printed once the class is open: address, code, QR picture and the teacher's link."""
    import io

    import segno

    picture = io.StringIO()
    segno.make(classroom.link(code=room.code)).terminal(picture, compact=True)
    return "\n".join(
        [
            "",
            picture.getvalue(),
            f"  Address   {classroom.address()}  (on this computer also http://localhost:{port})",
            f"  Code      {room.code}",
            f"  Joined    {len(room.members)} from before; --new begins anew" if room.members else "",
            "",
            "  The teacher's link, for you alone; it also shows this picture for the projector:",
            f"  {classroom.link(teacher=room.secret, to='/class')}",
            "",
        ]
    )


def own_addresses() -> list[str]:
    """Return the IPv4 addresses of this computer in its networks, first the one of its way out; none without one."""
    up = psutil.net_if_stats()
    found = [
        item.address
        for name, items in psutil.net_if_addrs().items()
        if name in up and up[name].isup
        for item in items
        if item.family == socket.AF_INET and _is_network(item.address)
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: nothing is sent, only the way is looked up
            first = str(probe.getsockname()[0])
        except OSError:
            first = ""
    return sorted(dict.fromkeys(found), key=lambda address: address != first)


def _is_address(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def free_port() -> int:
    """Return the first free port from FIRST_PORT; raise ConfigError where PORTS are taken."""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise ConfigError(f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are taken; name a free one with --port")
