"""`python -m dashboard`, or `mnist-compare` where it is installed, opens the dashboard.

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
    from streamlit.web.cli import main as streamlit

    os.chdir(ROOT)
    streamlit(["run", str(ROOT / "dashboard" / "server.py"), *sys.argv[1:]], prog_name="mnist-compare")


if __name__ == "__main__":
    main()
