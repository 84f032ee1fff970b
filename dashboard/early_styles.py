"""The page-wide styles in the very first answer, so that nothing moves when they would arrive with the first run."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.theme import CSS


class EarlyStyles:
    """Puts `theme.CSS` at the end of the head of Streamlit's page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; hold back an answer that is a page of HTML until it is whole."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        # not compressed, as it could not be read here; it is 10 kB
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding" or not _of_page(scope)]
        start: Message | None = None
        body = b""

        async def changed(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            whole = body.replace(b"</head>", CSS.encode() + b"</head>", 1)
            headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
            headers.append((b"content-length", str(len(whole)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": whole})

        await self._app(scope, receive, changed)


def _of_page(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def _is_page(message: Message) -> bool:
    headers = {name.lower(): value for name, value in message["headers"]}
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
