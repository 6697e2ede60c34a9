"""HttpServer: an ASGI application behind uvicorn, in a thread beside the supervisor's own work."""

import threading

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from wallaroo.errors import SettingsError
from wallaroo.observability.console.stream import IS_STOPPING

_STARTED_SECONDS = 0.01
_STOP_SECONDS = 5.0


class HttpServer:
    """Listens from `start()` to `stop()`; with port 0 a free one, which is then in `port`."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self.port = port
        self._host = host
        config = uvicorn.Config(
            self._telling(app),
            host=host,
            port=port,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def _telling(self, app: ASGIApp) -> ASGIApp:
        """The application, which is told when to end an answer that would go on for ever."""

        async def told(scope: Scope, receive: Receive, send: Send) -> None:
            scope[IS_STOPPING] = lambda: self._server.should_exit
            await app(scope, receive, send)

        return told

    def start(self) -> None:
        """Listen, and answer in a thread; raise SettingsError if the address cannot be had."""
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(_STARTED_SECONDS)
        if not self._server.started:
            raise SettingsError(
                f"http_port: cannot listen on {self._host}:{self.port} ({self._failure}); "
                "another process may have it: choose a free one with WALLAROO_HTTP_PORT (0 takes any)"
            ) from self._failure
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Finish the answers under way and close the port; does nothing if it never started."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._thread = None

    def _serve(self) -> None:
        try:
            self._server.run()
        except SystemExit as error:
            # uvicorn's way to report that it cannot listen.
            self._failure = error.__context__
