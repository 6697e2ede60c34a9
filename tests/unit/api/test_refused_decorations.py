"""What the decorators refuse, and how they say so."""

import functools
import operator

import pytest

import wallaroo
from tests.samples import Total, look, plain


def refused(match):
    return pytest.raises(wallaroo.WallarooParameterError, match=match)


def nothing():
    return None


def three(a, b, c):
    return a


def pair(data, state):
    return data, state


async def later(data):
    return data


def one_by_one(data):
    yield data


class Methods:
    def method(self, data):
        return data

    def __call__(self, data):
        return data


ONE_ARGUMENT = [
    wallaroo.computation("name"),
    wallaroo.computation_multi("name"),
    wallaroo.key_extractor,
    wallaroo.encoder,
    wallaroo.decoder(),
]
TWO_ARGUMENTS = [
    wallaroo.state_computation("name", Total),
    wallaroo.state_computation_multi("name", Total),
]


@pytest.mark.parametrize("decorate", ONE_ARGUMENT + TWO_ARGUMENTS)
@pytest.mark.parametrize("thing", [None, "f", 7, Total])
def test_only_functions_are_decorated(decorate, thing):
    with refused("Expected a callable object but got a .* for @"):
        decorate(thing)


@pytest.mark.parametrize("decorate", ONE_ARGUMENT)
@pytest.mark.parametrize("func", [nothing, three, lambda *args: args])
def test_a_function_of_data_has_one_parameter(decorate, func):
    with refused(r"Incompatible function arity, your function .* must have 1 parameter\(s\)"):
        decorate(func)


@pytest.mark.parametrize("decorate", TWO_ARGUMENTS)
@pytest.mark.parametrize("func", [nothing, plain, lambda a, b, c, d: a])
def test_a_function_of_data_and_state_has_two_parameters(decorate, func):
    with refused(r"Incompatible function arity, your function .* must have 2 parameter\(s\)"):
        decorate(func)


def test_the_arity_error_names_the_function_and_the_stage():
    with refused(
        r"your function three must .*@computation\('total'\) calls it with \(data\), and it takes 3; "
        r"with one more, a plain def is called with \(data, context\)"
    ):
        wallaroo.computation("total")(three)


@pytest.mark.parametrize("decorate", ONE_ARGUMENT)
@pytest.mark.parametrize(("func", "takes_context"), [(plain, False), (pair, True), (lambda a, b=1: a, False)])
def test_one_parameter_more_without_a_default_is_a_context(decorate, func, takes_context):
    assert decorate(func).takes_context is takes_context


@pytest.mark.parametrize("decorate", TWO_ARGUMENTS)
@pytest.mark.parametrize(
    ("func", "takes_context"), [(pair, False), (three, True), (lambda a, b, c=1: a, False)]
)
def test_with_state_a_context_is_the_third_parameter(decorate, func, takes_context):
    assert decorate(func).takes_context is takes_context


def test_a_decoder_of_a_model_takes_no_context():
    assert wallaroo.json_decoder(dict).takes_context is False


def test_a_built_in_function_gets_none():
    with refused("it takes 2"):
        wallaroo.computation("add")(operator.add)


def test_a_bound_method_counts_self():
    with refused("it takes 2, self included"):
        wallaroo.computation("name")(Methods().method)


@pytest.mark.parametrize("func", [Methods(), functools.partial(plain)])
def test_a_callable_without_a_name_of_its_own_is_refused(func):
    with refused("has no name of its own; decorate a def that calls it"):
        wallaroo.computation("name")(func)


@pytest.mark.parametrize("func", [later, one_by_one])
def test_async_functions_and_generators_are_refused(func):
    with refused("is async or a generator"):
        wallaroo.computation("name")(func)


def test_a_decorated_function_is_not_decorated_again():
    with refused("is decorated already"):
        wallaroo.key_extractor(look)


@pytest.mark.parametrize("decorator", [wallaroo.computation, wallaroo.computation_multi])
def test_a_computation_without_a_name_says_how_to_give_one(decorator):
    with refused("needs a name: write @computation"):
        decorator(plain)


@pytest.mark.parametrize("name", ["", "\t", None, 7])
def test_a_stage_needs_a_name(name):
    with refused("needs a name: a str that is not empty"):
        wallaroo.state_computation(name, Total)


@pytest.mark.parametrize("state", ["Total", None, Total()])
def test_state_comes_from_a_class_or_function(state):
    with refused("state must be a class or function"):
        wallaroo.state_computation("total", state)


@pytest.mark.parametrize("state", [pair, lambda data: data])
def test_a_state_is_made_without_arguments(state):
    with refused("must be callable without arguments"):
        wallaroo.state_computation_multi("total", state)


@pytest.mark.parametrize("state", [dict, list, Total, lambda: 0, functools.partial(dict, a=1)])
def test_whatever_needs_no_arguments_makes_a_state(state):
    stage = wallaroo.state_computation("total", state)(pair)
    assert stage.state is state


def test_a_decoder_needs_parentheses():
    with refused(r"@decoder needs parentheses: write @decoder\(\)"):
        wallaroo.decoder(plain)


@pytest.mark.parametrize("header_length", [0, 9, -1, "4", 4.0, True, None])
def test_a_header_has_one_to_eight_bytes(header_length):
    with refused("header_length must be"):
        wallaroo.decoder(header_length=header_length)


@pytest.mark.parametrize(("header_length", "length_fmt"), [(4, ">H"), (2, ">I"), (4, "nonsense"), (4, None)])
def test_the_length_format_fills_the_header(header_length, length_fmt):
    with refused(f"does not describe {header_length} bytes"):
        wallaroo.decoder(header_length, length_fmt)


@pytest.mark.parametrize("length_fmt", [">f", ">4s", ">4x"])
def test_a_length_is_an_integer(length_fmt):
    with refused("does not begin with an integer"):
        wallaroo.decoder(4, length_fmt)


@pytest.mark.parametrize("key", [None, 1.5, True, False, ("a",), bytearray(b"a"), object()])
def test_a_key_of_another_type_is_refused_by_name(key):
    with refused("key extractor 'plain' returned"):
        wallaroo.key_extractor(plain).extract_key(key)


@pytest.mark.parametrize("decorate", [wallaroo.state_computation, wallaroo.state_computation_multi])
@pytest.mark.parametrize("ttl", [0, -1, 1.5, "1 h", True, wallaroo.days(1_000_000)])
def test_a_ttl_is_a_whole_number_of_nanoseconds_that_fit(decorate, ttl):
    with pytest.raises(wallaroo.WallarooParameterError, match=r"'total'\): (a )?ttl .*wallaroo\.hours"):
        decorate(name="total", state=dict, ttl=ttl)
