"""Ready-made decoders and encoders, and the functions by which objects are pickled."""

import pickle
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

from wallaroo.api.decorators import encoder
from wallaroo.api.stages import Decoder
from wallaroo.errors import WallarooParameterError

Model = TypeVar("Model")


class JsonDecoder(Decoder[Model]):
    """A decoder of JSON into new instances of a class, which is pickled as this class."""

    def __init__(self, model: type[Model], decode: Callable[[bytes], Model]) -> None:
        super().__init__(decode, f"json_decoder({model.__name__})")
        self.__module__, self.__qualname__ = __name__, self.name()
        self.model = model

    def __reduce__(self) -> tuple[Any, ...]:
        return json_decoder, (self.model,)


def json_decoder(model: type[Model]) -> Decoder[Model]:
    """Return a decoder of JSON into a `msgspec.Struct`, a pydantic model, a dataclass or a `TypedDict`.

    msgspec reads a Struct, in a quarter of the time; pydantic reads everything else. msgspec accepts neither
    a number for a text nor the reverse, and no NaN or infinity; it ignores fields that the class does not
    have, unless it is declared with `forbid_unknown_fields=True`.

    Raises WallarooParameterError if neither can read the class. Decoding raises `msgspec.DecodeError` or
    `pydantic.ValidationError` for what is not JSON or breaks the rules of the class.

    Example:

    >>> import msgspec
    >>> class Transaction(msgspec.Struct):
    ...     user: str
    ...     amount: float | int
    >>> decode_transaction = wallaroo.json_decoder(Transaction)
    >>> decode_transaction.decode(b'{"user": "Rex", "amount": 5}')
    Transaction(user='Rex', amount=5)
    """
    if not isinstance(model, type):
        raise WallarooParameterError(
            "json_decoder needs a pydantic model class, a dataclass, a TypedDict or a msgspec.Struct, "
            f"not {model!r}"
        )
    return _json_decoder(cast(Hashable, model))


@cache
def _json_decoder(model: Any) -> Decoder:
    # The C method of the reader itself: a function around it would cost a stack frame per record.
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
    """Encode a pydantic model, a Struct, or plain values with these among them as JSON; NaN becomes null.

    Encoding a value of another type raises NotImplementedError.

    Example:

    >>> wallaroo.json_encoder.encode({"user": "Rex", "total": 2100})
    b'{"user":"Rex","total":2100}'
    """
    serializer = getattr(type(data), "__pydantic_serializer__", None)
    return _plain_json.encode(data) if serializer is None else serializer.to_json(data)


def _model_json(value: Any) -> msgspec.Raw:
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is None:
        raise NotImplementedError(f"json_encoder cannot write a {type(value).__qualname__}")
    return msgspec.Raw(serializer.to_json(value))


_plain_json = msgspec.json.Encoder(enc_hook=_model_json)


def serialize(obj: Any) -> bytes:
    """Return the object, pickled, as in Wallaroo.

    A `serialize` and a `deserialize` in the application's module replace the format of stored values; without
    them values are stored as JSON or pickled, and this function is not used.
    """
    return pickle.dumps(obj)


def deserialize(bs: bytes) -> Any:
    """Return what `serialize` pickled, as in Wallaroo; only for bytes that no stranger can have written."""
    return pickle.loads(bs)  # noqa: S301 - Wallaroo's function; nothing from a topic comes here


def dt_to_timestamp(dt: datetime) -> float:
    """Return seconds since the Unix epoch; a datetime without a zone is taken as UTC, on every machine.

    Example:

    >>> from datetime import datetime
    >>> wallaroo.dt_to_timestamp(datetime(1970, 1, 2))
    86400.0
    """
    return (dt if dt.tzinfo else dt.replace(tzinfo=UTC)).timestamp()


def attach_to_module(*_args: Any) -> Any:
    """Wallaroo's way to make wrappers picklable, which is not needed here: raises WallarooParameterError."""
    raise WallarooParameterError(
        "attach_to_module is not needed here: wrappers are pickled by reference; leave the call out"
    )
