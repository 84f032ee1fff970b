"""`serve`: let workers and notebooks on other machines send their runs to this store."""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from pathlib import Path

from mnist_core.cli.terminal import Reporter
from mnist_core.jobs import store_server
from mnist_core.jobs.attempts import SILENCE_S
from mnist_core.runs.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `serve` takes."""
    parser.add_argument(
        "--address",
        default=f"https://{socket.gethostname()}:{store_server.DEFAULT_PORT}",
        metavar="https://HOST:PORT",
        help="where other machines reach this one (default: %(default)s)",
    )
    parser.add_argument(
        "--listen", default="0.0.0.0", metavar="IP", help="the address of this machine to listen on (default: all)"
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="PEM", help="a certificate of yours, in place of a made one"
    )
    parser.add_argument("--key", type=Path, metavar="PEM", help="its private key, where that is in another file")
    parser.add_argument(
        "--silence",
        type=float,
        default=SILENCE_S,
        metavar="SECONDS",
        help="after so long without a message a worker counts as gone (default: %(default)g)",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--stop", action="store_true", help="stop the server of this store")
    instead.add_argument(
        "--token", action="store_true", help="print the token with which RunLogger may add runs, and serve nothing"
    )


def serve(options: argparse.Namespace, reporter: Reporter) -> int:
    """Serve the store until the process is asked to end."""
    store = Store(options.store)
    if options.stop:
        reporter.say("stopped" if store_server.stop(store.root.resolve()) else "no store server runs for this store")
        return 0
    if options.token:
        token = store_server.tokens(store.root.resolve()).recording
        if reporter.as_json:
            return reporter.json({"token": token})
        print(token)
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    serving_options = store_server.Options(
        options.address, options.listen, options.certificate, options.key, silence_s=options.silence
    )
    with store_server.serving(store, serving_options) as server:
        if reporter.as_json:
            reporter.json({"address": server.address})
        else:
            print(server.address)
        sys.stdout.flush()
        store_server.wait_for_a_signal()
    return 0
