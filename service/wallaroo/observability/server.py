"""HttpServer: an ASGI application behind uvicorn, in a thread beside the supervisor's own work."""

from __future__ import annotations

import threading
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from wallaroo.errors import SettingsError

STOP_SECONDS = 5.0


class HttpServer:
    """Listens from `start()` to `stop()`; port 0 takes a free one, which `port` then tells."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self.port = port
        self._server = _Server(_config(app, host, port))
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, and answer in a thread; raise SettingsError where the address cannot be had."""
        self._thread = threading.Thread(target=self._server.run_quietly, name="http", daemon=True)
        self._thread.start()
        self._server.settled.wait()
        if not self._server.started:
            self._thread.join()
            raise SettingsError(self._refusal()) from self._server.failure
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Finish the answers under way and close the port; does nothing where it never started."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._thread = None

    def _refusal(self) -> str:
        config, cause = self._server.config, self._server.failure
        return (
            f"http_port: cannot listen on {config.host}:{config.port} ({cause}); "
            "another process may have it: choose a free one with WALLAROO_HTTP_PORT (0 takes any)"
        )


class _Server(uvicorn.Server):
    """Tells when it listens or has failed to, which uvicorn itself would say by ending the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.failure: BaseException | None = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.settled.set()

    def run_quietly(self) -> None:
        try:
            self.run()
        except SystemExit as error:
            self.failure = error.__context__
        finally:
            self.settled.set()


def _config(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
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
