"""What carries requests: the httpx API on aiohttp's connections, with what a hub needs around it.

Connections are kept alive and pooled by address, TLS is verified, proxies of the environment are honoured. Every wait
is bounded, and so is the size of an answer. A name that leads into a private network is refused unless hub.toml allows
that network: an address that somebody else controls must not reach what only this machine can reach. What was checked
is what is connected to, so that a name cannot change in between.
"""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

CONNECTIONS = 1000
KEEP_ALIVE = 4.5
"""Seconds that an idle connection is kept: less than common servers do, so that few are found closed when used."""
ANSWER_LIMIT = 20 * 1024**2
"""Bytes of an answer that are read at most."""
PACKED_LIMIT = 1024**2
"""The same for a compressed one, which may be a thousand times larger inside."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TooLarge(httpx.ReadError):
    """The answer is larger than ANSWER_LIMIT; the rest of it was not read."""


class Client(httpx.AsyncClient):
    """httpx's client without what a hub never uses: authentication flows, cookies and redirects cost half a request."""

    async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:
        """Send one request; the answer is read."""
        response = await self._transport_for_url(request.url).handle_async_request(request)
        response.request = request
        await response.aread()
        return response


class Transport(httpx.AsyncBaseTransport):
    """One pool of connections. `networks` are private ones that names may lead to; `resolver` is asked about names."""

    def __init__(
        self, networks: Sequence[Network] = (), *, resolver: AbstractResolver | None = None, limit: int = ANSWER_LIMIT
    ) -> None:
        self._networks, self._resolver, self._limit = tuple(networks), resolver, limit
        self._session: aiohttp.ClientSession | None = None
        self._proxies = getproxies()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and read the whole answer. Raises httpx's errors: ConnectError and ConnectTimeout mean that nothing
        was sent."""
        try:
            return await self._exchange(request)
        except aiohttp.ConnectionTimeoutError as error:
            raise httpx.ConnectTimeout(str(error) or "no connection in time", request=request) from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _Blocked):
                raise httpx.UnsupportedProtocol(str(error.os_error), request=request) from error
            raise httpx.ConnectError(str(error), request=request) from error
        except aiohttp.ClientHttpProxyError as error:
            raise httpx.ConnectError(f"the proxy makes no tunnel: {error.status}", request=request) from error
        except aiohttp.InvalidURL as error:
            raise httpx.InvalidURL(str(error)) from error
        except aiohttp.NonHttpUrlClientError as error:
            raise httpx.UnsupportedProtocol(str(error), request=request) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error) or "no answer in time", request=request) from error
        except aiohttp.ClientError as error:
            raise httpx.ReadError(str(error) or type(error).__name__, request=request) from error

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        if self._session is None:
            self._session = self._opened()
        limits = request.extensions.get("timeout", {})
        whole = limits.get("read")
        timeout = aiohttp.ClientTimeout(total=whole, sock_connect=limits.get("connect"), sock_read=whole)
        headers = request.headers.multi_items()
        if "accept-encoding" not in request.headers:
            headers.append(("Accept-Encoding", "identity"))
        async with self._session.request(
            request.method,
            str(request.url),
            headers=headers,
            data=request.content or None,
            allow_redirects=False,
            timeout=timeout,
            proxy=self._proxy(request.url) if self._proxies else None,
        ) as response:
            limit = PACKED_LIMIT if "Content-Encoding" in response.headers else self._limit
            content = await _bounded(response, limit, request)
            return httpx.Response(response.status, headers=response.raw_headers, content=content)

    def _proxy(self, url: httpx.URL) -> str | None:
        """What the environment says (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY) of an address."""
        if proxy_bypass(url.netloc.decode(), self._proxies):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")

    def _opened(self) -> aiohttp.ClientSession:
        guarded = Guarded(self._networks, self._resolver or DefaultResolver())
        connector = aiohttp.TCPConnector(
            limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE, resolver=guarded, use_dns_cache=False
        )
        jar = aiohttp.DummyCookieJar()
        return aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class Guarded(AbstractResolver):
    """Resolves names, and refuses those that lead where nobody outside should lead the hub.

    What hub.toml writes as a number, or as `localhost`, is meant: aiohttp does not ask a resolver about numbers.
    """

    def __init__(self, networks: Sequence[Network], resolver: AbstractResolver) -> None:
        self._networks, self._resolver = networks, resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a name. Raises an OSError that says what to write into hub.toml."""
        found = await self._resolver.resolve(host, port, family)
        if host.lower().rstrip(".") == "localhost":
            return found
        for result in found:
            address = ipaddress.ip_address(result["host"].partition("%")[0])
            if not address.is_global and not any(address in network for network in self._networks):
                raise _Blocked(f"{host} is {address}, a private address; if that is right: hub.networks = [...]")
        return found

    async def close(self) -> None:
        """Let go of the resolver."""
        await self._resolver.close()


class _Blocked(OSError):
    """A name leads into a private network."""


async def _bounded(response: aiohttp.ClientResponse, limit: int, request: httpx.Request) -> bytes:
    declared = response.content_length
    if declared is None or declared > limit:
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooLarge(f"the answer is larger than {limit >> 20} MiB", request=request)
        return b"".join(parts)
    return await response.read()
