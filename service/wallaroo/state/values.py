"""Bytes of what crosses a repartition topic; the values may be of any class.

1M<module>:<class>\n{...}   a pydantic model as JSON, its class in front
1S... 1B...                  a str, bytes
1P...                        anything else, pickled
"""

from typing import Any

from pydantic import BaseModel

from wallaroo.errors import StoredValueError
from wallaroo.state.models import dump_model, is_data_model, load_model
from wallaroo.state.pickles import RestrictedPickle

_MODEL, _PICKLE, _TEXT, _BYTES = b"1M", b"1P", b"1S", b"1B"


class ValueCodec:
    """Bytes of what crosses a repartition topic; the values may be of any class."""

    def __init__(self, pickles: RestrictedPickle) -> None:
        self._pickles = pickles
        self._headers: dict[type, bytes | None] = {}
        self._models: dict[bytes, type[BaseModel]] = {}

    def encode(self, value: Any) -> bytes:
        kind = type(value)
        if kind is str:
            return _TEXT + str(value).encode("utf-8", "surrogatepass")
        if kind is bytes:
            return _BYTES + bytes(value)
        header = self._headers[kind] if kind in self._headers else self._header_for(kind)
        made = dump_model(value) if header else None
        return _PICKLE + self._pickles.dumps(value) if header is None or made is None else header + made

    def decode(self, data: bytes) -> Any:
        """The value; StoredValueError where the bytes are not what `encode` makes."""
        kind = data[:2]
        try:
            match kind:
                case b"1M":
                    header, _, payload = data.partition(b"\n")
                    return load_model(self._models.get(header) or self._model_for(header), payload)
                case b"1S":
                    return data[2:].decode("utf-8", "surrogatepass")
                case b"1B":
                    return data[2:]
                case b"1P":
                    return self._pickles.loads(data[2:])
        except StoredValueError:
            raise
        except Exception as error:
            raise StoredValueError(f"an internal record cannot be read: {data[:80]!r}: {error!r}") from error
        raise StoredValueError(f"an internal record has the unknown format {kind!r}: {data[:80]!r}")

    def _header_for(self, kind: type) -> bytes | None:
        header = None
        if issubclass(kind, BaseModel) and is_data_model(kind):
            header = _MODEL + f"{kind.__module__}:{kind.__qualname__}\n".encode()
        self._headers[kind] = header
        return header

    def _model_for(self, header: bytes) -> type[BaseModel]:
        module, _, name = header[2:].decode().partition(":")
        model: type[BaseModel] = self._pickles.find_class(module, name)
        if not issubclass(model, BaseModel):
            raise StoredValueError(f"an internal record names {module}:{name}, which is no pydantic model")
        self._models[header] = model
        return model
