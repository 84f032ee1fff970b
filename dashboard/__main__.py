"""`python -m dashboard`, or `mnist-compare` where it is installed, opens the dashboard.

`python -m dashboard class` opens it for a class on this network (see `class_command`).

Any option of `streamlit run` may follow.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run Streamlit on the app behind its check, from the project's folder so that its configuration is found.

    Where it is installed, the configuration is next to the app, where Streamlit finds it, too.
    """
    if sys.argv[1:2] == ["class"]:
        from dashboard.class_command import main as open_class

        sys.exit(open_class(sys.argv[2:]))
    serve(sys.argv[1:])


def serve(options: list[str]) -> None:
    """Run Streamlit with these options until it is stopped."""
    from streamlit.web.cli import main as streamlit

    os.chdir(ROOT)
    streamlit(["run", str(ROOT / "dashboard" / "server.py"), *options], prog_name="mnist-compare")


if __name__ == "__main__":
    main()
