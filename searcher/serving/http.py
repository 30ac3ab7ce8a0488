"""`kuberian serve`: the searcher over HTTP, for teams, agents and editors; a WSGI application on Waitress.

    GET /search?q=where+is+auth   the object that `kuberian search --json` prints; also k, repo, lang, path, at
    GET /status                   the object that `kuberian status --json` prints
    GET /healthz                  200 while the process answers
    GET /readyz                   200 once something is indexed, 503 before

Every answer is JSON. An error is {"error": one line} with status 400 for wrong usage, 404 for what is not indexed or
does not exist, 405 for other methods than GET and HEAD, 413 for a body of a kilobyte or more, 421 for a foreign host's
name, 431 for headers that are too large, 501 for a transfer encoding other than chunked, 503 while the home is at
fault, 500 for a mistake of ours, which the log shows.
"""

from __future__ import annotations

import ipaddress
import logging
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from os import PathLike
from typing import Any
from urllib.parse import parse_qsl

from kuberian import __version__
from kuberian.cores import available_cores
from kuberian.errors import KuberianError, RepositoryError, UsageError
from kuberian.store.home import Home
from kuberian.store.status import status
from searcher.searcher import Searcher
from searcher.serving import answers

# The parameters of the URL, and their names in Searcher.search.
PARAMETERS = {"q": "question", "k": "k", "repo": "repository", "lang": "language", "path": "path", "at": "at"}

# Clients that may be connected at a time, idle keep-alive ones too. More of them wait in the listening queue.
CONNECTIONS = 200
# A request is a line and a few headers; the longest question (32,000 characters) may take 12 bytes for each in a URL.
MAX_HEADER_BYTES = 400_000
# No request has a body. Waitress would read this much of one before it refuses the request.
MAX_BODY_BYTES = 1024

_log = logging.getLogger(__name__)

Headers = list[tuple[str, str]]
Environment = dict[str, Any]
StartResponse = Callable[[str, Headers], object]


class _HttpError(Exception):
    """An answer that is an error."""

    def __init__(self, http_status: HTTPStatus, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status, self.headers = http_status, headers


class Application:
    """The WSGI application. Call it from any number of threads.

    `local_only`: refuse requests to another host name than this machine's own. A page in a browser can send such ones
    (DNS rebinding).
    """

    def __init__(self, home: str | PathLike[str] | None = None, local_only: bool = False) -> None:
        self._home = Home.at(home)
        self._local_only = local_only
        self._lock = threading.Lock()
        self._searcher: Searcher | None = None
        self._routes: dict[str, Callable[[dict[str, str]], object]] = {
            "/search": self._search,
            "/status": self._status,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
        }

    def __call__(self, environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        headers: tuple[tuple[str, str], ...] = ()
        try:
            http_status, body = HTTPStatus.OK, answers.body(self._answer(environment))
        except _HttpError as error:
            http_status, body, headers = error.status, answers.error_body(str(error)), error.headers
        except UsageError as error:
            http_status, body = HTTPStatus.BAD_REQUEST, answers.error_body(str(error))
        except RepositoryError as error:
            http_status, body = HTTPStatus.NOT_FOUND, answers.error_body(str(error))
        except KuberianError as error:
            http_status, body = HTTPStatus.SERVICE_UNAVAILABLE, answers.error_body(str(error))
        except Exception as error:
            _log.exception("internal error")
            http_status, body = HTTPStatus.INTERNAL_SERVER_ERROR, answers.error_body(f"internal error: {error!r}")
        start_response(f"{http_status.value} {http_status.phrase}", [*answers.headers(body), *headers])
        return [] if environment["REQUEST_METHOD"] == "HEAD" else [body]

    def warm(self) -> None:
        """Load the model and the vectors, so that the first question need not. Do nothing if nothing is indexed yet."""
        with suppress(KuberianError):
            self._opened().search("warm")

    def _answer(self, environment: Environment) -> object:
        if self._local_only and not _is_local(environment.get("HTTP_HOST", "")):
            raise _HttpError(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to localhost only: see --host")
        route = self._routes.get(environment.get("PATH_INFO", ""))
        if route is None:
            raise _HttpError(HTTPStatus.NOT_FOUND, f"no such page; there are {', '.join(self._routes)}")
        if environment["REQUEST_METHOD"] not in ("GET", "HEAD"):
            raise _HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "ask with GET", ("Allow", "GET, HEAD"))
        return route(_parameters(environment.get("QUERY_STRING", "")))

    def _search(self, parameters: dict[str, str]) -> object:
        unknown = set(parameters) - set(PARAMETERS)
        if unknown:
            raise UsageError(f"unknown parameter {min(unknown)!r}; there are {', '.join(PARAMETERS)}")
        options: dict[str, Any] = {PARAMETERS[name]: value for name, value in parameters.items()}
        options.setdefault("question", "")
        if "k" in options:
            try:
                options["k"] = int(options["k"])
            except ValueError:
                raise UsageError(f"k must be a number, not {options['k']!r}") from None
        answer = self._opened().search(**options)
        return {**answer.to_dict(), "changed_files": None}  # not looked for: working trees are the indexer's

    def _status(self, _: dict[str, str]) -> object:
        return status(self._home).to_dict()

    def _healthz(self, _: dict[str, str]) -> object:
        return {"status": "ok", "version": __version__}

    def _readyz(self, _: dict[str, str]) -> object:
        self._home.read(lambda _: None)
        return {"status": "ready", "version": __version__}

    def _opened(self) -> Searcher:
        """Return the searcher, made once something is indexed. It sees by itself how the home changes."""
        with self._lock:
            if self._searcher is None:
                self._searcher = Searcher(self._home.folder)
            return self._searcher


def serve(home: str | PathLike[str] | None = None, host: str = "127.0.0.1", port: int = 8080,
          ready: Callable[[str], object] = lambda address: None) -> None:  # fmt: skip
    """Serve until SIGTERM or SIGINT, and finish the requests that are being answered.

    `ready` is called with the address as soon as requests are accepted. Port 0 takes a free one. Raises UsageError if
    the address cannot be used.
    """
    import waitress.server

    from searcher.serving.refusals import Channel

    if not 0 <= port <= 65535:
        raise UsageError(f"the port must be from 0 to 65535, not {port}")
    application = Application(home, local_only=_is_local(host))
    waitress.server.TcpWSGIServer.channel_class = Channel
    try:
        server = waitress.create_server(
            application,
            host=host,
            port=port,
            threads=available_cores(),  # answering is computing
            connection_limit=CONNECTIONS,
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=MAX_BODY_BYTES,
            clear_untrusted_proxy_headers=True,
            ident="kuberian",
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot listen on {host} port {port}: {error}") from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    application.warm()
    ready(f"http://{f'[{host}]' if ':' in host else host}:{getattr(server, 'effective_port', port)}")
    server.run()


def _parameters(query: str) -> dict[str, str]:
    """Return a URL's parameters. Raises UsageError if one is given twice or is not UTF-8."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as error:
        raise UsageError(f"the parameters cannot be read: {error}") from None
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise UsageError("a parameter is given twice")
    return parameters


def _is_local(host: str) -> bool:
    """Tell whether a host, as typed or as in a Host header with its port, names this machine's loopback."""
    name = host.rpartition(":")[0] if host.count(":") == 1 or "]:" in host else host
    name = name.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
