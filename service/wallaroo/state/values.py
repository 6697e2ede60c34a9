"""Bytes of what crosses a repartition topic; the values may be of any class.

1M<module>:<class>\n{...}   a pydantic model as JSON, its class in front
1O{...}                     a flat dict, as JSON
1S... 1B...                  a str, bytes
1P...                        anything else, pickled
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import BaseModel

from wallaroo.errors import StoredValueError
from wallaroo.state.flat import exact_json, read_json
from wallaroo.state.models import Dump, load_model, model_dump
from wallaroo.state.pickles import RestrictedPickle

_PICKLE, _TEXT, _BYTES, _FLAT = b"1P", b"1S", b"1B", b"1O"

Encode = Callable[[Any], bytes]


def bare(data: bytes | None) -> bytes | None:
    """A value without what we put in front of it: JSON, text or bytes that a person can use elsewhere."""
    match (data or b"")[:2]:
        case b"1O" | b"1S" | b"1B" | b"1U":
            return data and data[2:]
        case b"1M":
            return data and data.partition(b"\n")[2]
    return data


class ValueCodec:
    """Bytes of what crosses a repartition topic; the values may be of any class."""

    def __init__(self, pickles: RestrictedPickle) -> None:
        self._pickles = pickles
        self._dumps = pickles.dumps
        self._encoders: dict[type, Encode] = {}
        self._models: dict[bytes, type[BaseModel]] = {}

    def encode(self, value: Any) -> bytes:
        kind = type(value)
        if kind is dict and (made := exact_json(value)) is not None:
            return _FLAT + made
        if kind is str:
            return _TEXT + str(value).encode("utf-8", "surrogatepass")
        if kind is bytes:
            return _BYTES + bytes(value)
        encoder = self._encoders.get(kind)
        if encoder is None:
            encoder = self._encoders[kind] = self._encoder_for(kind)
        return encoder(value)

    def decode(self, data: bytes) -> Any:
        """The value; StoredValueError where the bytes are not what `encode` makes."""
        kind = data[:2]
        try:
            match kind:
                case b"1M":
                    header, _, payload = data.partition(b"\n")
                    return load_model(self._models.get(header) or self._model_for(header), payload)
                case b"1O":
                    return read_json(data[2:])
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

    def _encoder_for(self, kind: type) -> Encode:
        dump = model_dump(kind) if issubclass(kind, BaseModel) and self._pickles.knows(kind) else None
        if dump is None:
            return self._encode_whole
        return partial(self._encode_model, f"1M{kind.__module__}:{kind.__qualname__}\n".encode(), dump)

    def _encode_model(self, header: bytes, dump: Dump, value: Any) -> bytes:
        made = dump(value)
        return self._encode_whole(value) if made is None else header + made

    def _encode_whole(self, value: Any) -> bytes:
        return _PICKLE + self._dumps(value)

    def _model_for(self, header: bytes) -> type[BaseModel]:
        module, _, name = header[2:].decode().partition(":")
        model: type[BaseModel] = self._pickles.find_class(module, name)
        if not issubclass(model, BaseModel):
            raise StoredValueError(f"an internal record names {module}:{name}, which is no pydantic model")
        self._models[header] = model
        return model
