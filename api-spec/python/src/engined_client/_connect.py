"""Where the engine is: addresses, tokens, and the connections of httpx."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from engined_client._version import __version__

DEFAULT_URL = "http://127.0.0.1:7070"
"""Where `engined up` listens."""
FORMS = "write http://HOST:PORT, https://HOST or unix:/PATH/TO/SOCKET, as an argument or in ENGINED_URL"


@dataclass(frozen=True)
class Address:
    """An engine's address. `base` is what requests are sent to, `socket` the Unix socket where there is one."""

    base: str
    socket: str | None
    token: str | None = field(repr=False)

    @classmethod
    def find(cls, url: str | None, token: str | None) -> Address:
        """Read the arguments, else the environment, else take the development mode's address."""
        url = url or os.environ.get("ENGINED_URL") or DEFAULT_URL
        # A token that was read from a file has a newline at its end, which no header can have.
        token = (token if token is not None else os.environ.get("ENGINED_TOKEN", "")).strip() or None
        if url.startswith("unix:"):
            path = "/" + url.removeprefix("unix:").lstrip("/")
            if path == "/" or not url.startswith("unix:/"):
                raise ValueError(f"{url!r} names no socket by its whole path; {FORMS}")
            # The name only fills the Host header.
            return cls("http://localhost", path, token)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of an engine; {FORMS}")
        if parts.query or parts.fragment or parts.username is not None:
            # Not repeated: there may be a password in it.
            raise ValueError(f"the address of {parts.hostname} has a query, a fragment or a user in it; {FORMS}")
        return cls(url.rstrip("/"), None, token)

    @property
    def shown(self) -> str:
        """The address as people write it."""
        return f"unix:{self.socket}" if self.socket else self.base

    def headers(self) -> dict[str, str]:
        """Give what is sent with every request."""
        headers = {
            "Accept": "application/json, application/problem+json",
            "User-Agent": f"engined-client/{__version__}",
        }
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def _verify(self, context: ssl.SSLContext | None) -> ssl.SSLContext | bool:
        # Without TLS nothing is verified: False only spares loading the authorities. No redirect is ever followed.
        return context or self.base.startswith("https:")

    def transport(self, context: ssl.SSLContext | None) -> httpx.HTTPTransport:
        """Make the connections of a `Client`."""
        return httpx.HTTPTransport(
            verify=self._verify(context), trust_env=False, uds=self.socket, limits=httpx.Limits(max_connections=None)
        )

    def async_transport(self, context: ssl.SSLContext | None) -> httpx.AsyncHTTPTransport:
        """Make the connections of an `AsyncClient`."""
        return httpx.AsyncHTTPTransport(
            verify=self._verify(context), trust_env=False, uds=self.socket, limits=httpx.Limits(max_connections=None)
        )
