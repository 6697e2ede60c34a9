"""Contract 1.2: what each decorator returns."""

import struct
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo
from tests.samples import Total, decode_text, split, total, user


@wallaroo.computation("double the amount")
def double(data):
    """Twice as much."""
    return data * 2


@wallaroo.state_computation_multi(name="totals", state=Total)
def totals(data, state):
    state.total += data
    return [state.total]


@wallaroo.encoder
def line(data):
    return f"{data}\n".encode()


EVERY_WRAPPER = [double, split, total, totals, user, line, decode_text]


@pytest.mark.parametrize(
    ("wrapper", "kind"),
    [
        (double, wallaroo.Computation),
        (split, wallaroo.ComputationMulti),
        (total, wallaroo.StateComputation),
        (totals, wallaroo.StateComputationMulti),
        (user, wallaroo.KeyExtractor),
        (line, wallaroo.Encoder),
        (decode_text, wallaroo.Decoder),
    ],
)
def test_a_decorator_returns_a_wrapper_of_its_kind(wrapper, kind):
    assert isinstance(wrapper, kind)


@pytest.mark.parametrize("wrapper", EVERY_WRAPPER)
def test_calling_a_wrapper_returns_the_wrapper(wrapper):
    assert wrapper() is wrapper
    assert wrapper(1, 2, three=3) is wrapper


@pytest.mark.parametrize(
    ("wrapper", "name"),
    [
        (double, "double the amount"),
        (split, "split"),
        (total, "total"),
        (totals, "totals"),
        (user, "user"),
        (line, "line"),
        (decode_text, "decode_text"),
    ],
)
def test_a_wrapper_has_a_name(wrapper, name):
    assert wrapper.name() == name


@pytest.mark.parametrize(
    ("wrapper", "method"),
    [
        (double, "compute"),
        (split, "compute_multi"),
        (total, "compute"),
        (totals, "compute_multi"),
        (line, "encode"),
        (decode_text, "decode"),
    ],
)
def test_the_method_is_the_users_function_itself(wrapper, method):
    assert getattr(wrapper, method) is wrapper.func


def test_a_wrapper_keeps_what_the_function_says_about_itself():
    assert (double.__name__, double.__doc__, double.__module__) == ("double", "Twice as much.", __name__)


def test_a_computation_computes_and_has_no_state():
    assert double.compute(21) == 42
    assert double.is_stateful is False
    assert double.initial_state is None


def test_a_multi_computation_computes_a_list_and_has_no_single_form():
    assert split.compute_multi("to be") == ["to", "be"]
    assert not hasattr(split, "compute")


def test_a_state_computation_computes_on_a_state_that_it_makes():
    state = total.initial_state()
    total.compute(1, state)
    assert total.compute(2, state) == 3
    assert total.is_stateful is True
    assert total.state is Total


def test_each_initial_state_is_a_new_one():
    assert total.initial_state() is not total.initial_state()


def test_a_multi_state_computation_has_both_natures():
    assert totals.compute_multi(5, totals.initial_state()) == [5]
    assert totals.is_stateful is True
    assert not hasattr(totals, "compute")


@given(st.text() | st.binary())
def test_text_and_bytes_are_keys_as_they_are(value):
    assert user.extract_key(value) is value


@given(st.integers())
def test_an_int_is_a_key_as_decimal_text(value):
    assert int(user.extract_key(value)) == value


def test_sixty_five_is_not_the_letter_a():
    assert user.extract_key(65) == "65"


def test_enumerations_are_keys_by_their_values():
    color, size = StrEnum("Color", {"RED": "red"}), IntEnum("Size", {"BIG": 3})
    assert user.extract_key(color.RED) == "red"
    assert user.extract_key(size.BIG) == "3"


@pytest.mark.parametrize(
    ("header_length", "length_fmt"), [(1, ">B"), (2, "<H"), (4, ">I"), (8, ">Q"), (4, "!i"), (3, ">HB")]
)
def test_a_header_tells_the_length_of_its_payload(header_length, length_fmt):
    decoder = wallaroo.decoder(header_length, length_fmt)(decode_text.func)
    header = struct.pack(length_fmt, *[7] * len(struct.unpack(length_fmt, bytes(header_length))))
    assert decoder.header_length() == header_length
    assert decoder.payload_length(header) == 7


def test_a_header_is_four_bytes_big_endian_unless_told_otherwise():
    decoder = wallaroo.decoder()(decode_text.func)
    assert decoder.header_length() == 4
    assert decoder.payload_length(b"\x00\x00\x01\x02") == 258


def test_a_decoder_decodes_the_payload_alone():
    assert decode_text.decode(b"to be") == "to be"


def test_parameters_with_defaults_may_come_on_top():
    def tag(data, state=None):
        return data, state

    assert wallaroo.computation("tag")(tag).compute(1) == (1, None)
    assert wallaroo.state_computation("tag", Total)(tag).compute(1, 2) == (1, 2)


def test_keyword_only_parameters_do_not_count():
    def tag(data, *, label="x"):
        return data, label

    assert wallaroo.computation("tag")(tag).compute(1) == (1, "x")


def test_annotations_are_not_evaluated():
    namespace = {}
    exec("from __future__ import annotations\ndef f(data: Unknown) -> Unknown: return data", namespace)  # noqa: S102
    assert wallaroo.computation("f")(namespace["f"]).compute(1) == 1


def test_a_builtin_function_can_be_a_computation():
    assert wallaroo.computation("size")(len).compute("abc") == 3
