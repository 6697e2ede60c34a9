"""The files of the console's page, which hold no data, with a policy that lets a browser run nothing else."""

from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_PAGE = "index.html"
# From the name of a file to what is in it. Nothing else is served.
_TYPES = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "asking.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "graph.js": "text/javascript; charset=utf-8",
    "history.js": "text/javascript; charset=utf-8",
    "letters.js": "text/javascript; charset=utf-8",
    "merge.js": "text/javascript; charset=utf-8",
    "panel.js": "text/javascript; charset=utf-8",
    "sheet.js": "text/javascript; charset=utf-8",
    "shown.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
PATHS = frozenset({"/", *(f"/console/{name}" for name in _TYPES)})
"""Where these files are; for everybody, also where data is only for those who have a token."""
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # What a browser understands it refuses: text that becomes markup.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
    "vary": "accept",
}


def page(request: Request) -> Response:
    """The page itself."""
    return _response(request, _PAGE, "text/html; charset=utf-8")


def file(request: Request) -> Response:
    """A file that the page needs; HTTPException if there is no such file."""
    name = request.path_params["name"]
    if name not in _TYPES:
        raise HTTPException(404, "the console has no such file")
    return _response(request, name, _TYPES[name])


def _response(request: Request, name: str, content_type: str) -> Response:
    """The file, or only that it has not changed."""
    content, tag = _read(name)
    headers = {**_HEADERS, "etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "content-type": content_type})


@cache
def _read(name: str) -> tuple[bytes, str]:
    content = (files(__package__) / "static" / name).read_bytes()
    return content, f'"{sha256(content).hexdigest()[:32]}"'
