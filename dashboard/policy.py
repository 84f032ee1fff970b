"""The content policy: from where a page may load what, and which scripts run in it."""

from __future__ import annotations

import base64
import hashlib
import re

SOURCES = {
    "default-src": "'self'",
    # blobs are how Streamlit loads the scripts of components; it draws charts by Vega's interpreter, which makes no
    # functions of their expressions
    "script-src": "'self' blob:",
    "worker-src": "'self' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "frame-src": "'self' data: blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
"""From where a page may load what: from this server only, so that no text that somebody typed can call anybody."""


def policy(page: str = "") -> str:
    """Return the policy of an answer. page: its HTML as the server has made it, whose own scripts may run."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts]
    sources = SOURCES | {"script-src": " ".join((SOURCES["script-src"], *hashes))}
    return "; ".join(f"{name} {allowed}" for name, allowed in sources.items())
