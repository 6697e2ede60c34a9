"""Ready-made ways between messages and bytes."""

import pickle
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import msgspec
from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

from wallaroo.api.decorators import encoder
from wallaroo.api.stages import Decoder
from wallaroo.errors import WallarooParameterError


class JsonDecoder(Decoder):
    """Decodes JSON into instances of a class, each a new object; pickled by its class."""

    def __init__(self, model: type[Any], decode: Callable[[bytes], Any]) -> None:
        super().__init__(decode, f"json_decoder({model.__name__})")
        self.__module__, self.__qualname__ = __name__, self.name()
        self.model = model

    def __reduce__(self) -> tuple[Any, ...]:
        return json_decoder, (self.model,)


def json_decoder(model: type[Any]) -> Decoder:
    """A decoder of JSON into a pydantic model, a dataclass, a `TypedDict`, or a `msgspec.Struct`.

    msgspec reads a Struct, in a quarter of the time; pydantic reads everything else. What is not JSON, or
    breaks the rules of the class, fails to decode, with the error of whichever reads it:
    `msgspec.DecodeError` or `pydantic.ValidationError`. A class that neither can read raises
    WallarooParameterError.

        class Transaction(msgspec.Struct):
            user: str
            amount: float | int

        decode_transaction = wallaroo.json_decoder(Transaction)

    msgspec takes no number for a text or a text for a number, no infinity and no NaN, and ignores fields
    that the class does not have, unless it is declared with `forbid_unknown_fields=True`.
    """
    if not isinstance(model, type):
        raise WallarooParameterError(
            "json_decoder needs a pydantic model class, a dataclass, a TypedDict or a msgspec.Struct, "
            f"not {model!r}"
        )
    return _json_decoder(cast(Hashable, model))


@cache
def _json_decoder(model: Any) -> Decoder:
    # The reader's own C method: no frame of ours between a record and its message.
    if issubclass(model, msgspec.Struct):
        try:
            return JsonDecoder(model, msgspec.json.Decoder(model).decode)
        except (TypeError, NameError) as error:
            raise WallarooParameterError(
                f"json_decoder({model.__name__}) needs a complete msgspec.Struct: {error}"
            ) from error
    try:
        return JsonDecoder(model, TypeAdapter(model).validator.validate_json)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        reason, *_ = error.message.splitlines()
        raise WallarooParameterError(
            f"json_decoder({model.__name__}) needs a complete pydantic model class: {reason}"
        ) from error


@encoder
def json_encoder(data: Any) -> bytes:
    """JSON of a pydantic model, a Struct, or plain values with these among them; a NaN becomes null."""
    serializer = getattr(type(data), "__pydantic_serializer__", None)
    return _plain_json.encode(data) if serializer is None else serializer.to_json(data)


def _model_json(value: Any) -> msgspec.Raw:
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is None:
        raise NotImplementedError(f"json_encoder cannot write a {type(value).__qualname__}")
    return msgspec.Raw(serializer.to_json(value))


_plain_json = msgspec.json.Encoder(enc_hook=_model_json)


def serialize(obj: Any) -> bytes:
    """The object, pickled; an application replaces this by a `serialize` of its own."""
    return pickle.dumps(obj)


def deserialize(bs: bytes) -> Any:
    """What `serialize` pickled; only for bytes that a stranger cannot have written."""
    return pickle.loads(bs)  # noqa: S301 - the original's function; nothing from a topic comes here


def dt_to_timestamp(dt: datetime) -> float:
    """Seconds since the Unix epoch; a datetime without a zone is taken as UTC, on every machine."""
    return (dt if dt.tzinfo else dt.replace(tzinfo=UTC)).timestamp()


def attach_to_module(*_args: Any) -> Any:
    """The original's way to make wrappers picklable; always raises WallarooParameterError."""
    raise WallarooParameterError(
        "attach_to_module is not needed here: wrappers are pickled by reference; leave the call out"
    )
