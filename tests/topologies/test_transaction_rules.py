"""What a transaction is: the model in schemas/ and the reference model agree on every value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo
from schemas.transaction import Transaction
from tests.topologies.malformed import MALFORMED
from tests.topologies.reference import exactly, parse

decode = wallaroo.json_decoder(Transaction).decode

GOOD = {
    b'{"user": "Fido", "amount": 12.5}': ("Fido", 12.5),
    b'{"user":"Fido","amount":12}': ("Fido", 12),
    b'{"user":"Fido","amount":12.0}': ("Fido", 12.0),
    b'{"user":"Fido","amount":-0}': ("Fido", 0),
    b'{"user":"Fido","amount":-0.0}': ("Fido", -0.0),
    b'{"user":"Fido","amount":1e3}': ("Fido", 1000.0),
    b'{"user":"Fido","amount":1e-400}': ("Fido", 0.0),
    b'{"user":"Fido","amount":0.0e400}': ("Fido", 0.0),
    b'{"user":"Fido","amount":1.7976931348623157e308}': ("Fido", 1.7976931348623157e308),
    b'{"user":"Fido","amount":18446744073709551616}': ("Fido", 2**64),
    b'{"user":"Fido","amount":-%b}' % (b"9" * 4299): ("Fido", 1 - 10**4299),
    b'\r\n\t {"amount":5,\n"user":""} ': ("", 5),
    b'{"user":"Fido","amount":5,"more":[{"user":7},1e999],"id":%b}' % (b"9" * 4301): ("Fido", 5),
    b'{"user":"Rex","user":"Fido","amount":7,"amount":5}': ("Fido", 5),
    b'{"user":"Fido","amount":5,"note":"\xff","\xff":1}': ("Fido", 5),
    b'{"us\\u0065r":"\\ud83d\\ude00\\n\\u0000","amount":5}': ("😀\n\x00", 5),
    '{"user":"Zoë 日本\x7f\u2028","amount":5}'.encode(): ("Zoë 日本\x7f\u2028", 5),
    b'{"user":"Fido","amount":5,"deep":%b%b}' % (b"[" * 200, b"]" * 200): ("Fido", 5),
    b'{"user":"Fido","amount":5,"deep":%b1%b}' % (b'{"a":' * 199, b"}" * 199): ("Fido", 5),
}


def decoded(value):
    """What the application's decoder makes of it; None where it is malformed."""
    try:
        made = decode(value)
    except (ValueError, TypeError):
        return None
    return made.user, made.amount


@pytest.mark.parametrize("value", GOOD, ids=range(len(GOOD)))
def test_a_good_transaction_is_read_exactly(value):
    assert repr(decoded(value)) == repr(parse(value)) == repr(GOOD[value])


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_value_is_refused(kind):
    assert decoded(MALFORMED[kind]) is None
    assert parse(MALFORMED[kind]) is None


@given(st.binary(max_size=60))
def test_model_and_decoder_agree_on_arbitrary_bytes(value):
    assert repr(decoded(value)) == repr(parse(value))


SURROGATES_TOO = st.characters(codec=None)
TEXTS = st.text(SURROGATES_TOO, max_size=5)
NUMBERS = st.integers() | st.floats() | st.integers(-(10**400), 10**400)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["user", "amount", "User", "id", ""]) | TEXTS
OBJECTS = st.lists(
    st.tuples(st.just("user"), TEXTS) | st.tuples(st.just("amount"), NUMBERS) | st.tuples(NAMES, ANY_JSON),
    max_size=6,
)


def written(pairs, *, ascii_only):
    """The object with equal names and all; what cannot be UTF-8 is replaced by bytes that are not."""
    members = ",".join(
        f"{json.dumps(name, ensure_ascii=ascii_only)}:{json.dumps(value, ensure_ascii=ascii_only)}"
        for name, value in pairs
    )
    return f"{{{members}}}".encode("utf-8", "surrogatepass")


@given(OBJECTS, st.booleans())
def test_model_and_decoder_agree_on_arbitrary_objects(pairs, ascii_only):
    value = written(pairs, ascii_only=ascii_only)
    assert repr(decoded(value)) == repr(parse(value))


@given(ANY_JSON, st.booleans())
def test_model_and_decoder_agree_on_arbitrary_json(tree, ascii_only):
    value = json.dumps(tree, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert repr(decoded(value)) == repr(parse(value))


SCRAPS = st.sampled_from(
    [
        *b'" \\ { } [ ] , : 0 1 - . e + NaN Infinity null true "user"'.split(),
        *(b"", b" ", b"\n", b"\x00", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\\ud800"),
    ]
)


def damaged(value, damages):
    """With scraps put in, each in the place of the next few bytes."""
    for at, scrap, cut in damages:
        value = value[:at] + scrap + value[at + cut :]
    return value


@given(
    st.sampled_from(sorted(GOOD, key=len)[:-3]),
    st.lists(st.tuples(st.integers(0, 90), SCRAPS, st.integers(0, 3)), min_size=1, max_size=4),
)
def test_model_and_decoder_agree_on_damaged_transactions(value, damages):
    bad = damaged(value, damages)
    assert repr(decoded(bad)) == repr(parse(bad))


@pytest.mark.parametrize("amount", [b"1" + b"0" * 4299, b"9" * 4300])
def test_integers_are_read_up_to_4300_digits(amount):
    longest = b'{"user":"a","amount":%b}' % amount
    too_long = b'{"user":"a","amount":1%b}' % amount
    assert repr(decoded(longest)) == repr(parse(longest)) != "None"
    assert decoded(too_long) is parse(too_long) is None


@pytest.mark.parametrize("amount", [b"9" * 4300 + b".5e-4299", b"1" + b"9" * 4300 + b".5e-4299"])
def test_a_number_with_a_fraction_may_have_more_digits(amount):
    value = b'{"user":"a","amount":%b}' % amount
    assert repr(decoded(value)) == repr(parse(value)) != "None"


@given(
    st.integers(195, 205), st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b"[0,", b"]")]), st.booleans()
)
def test_model_and_decoder_agree_on_deep_nesting(depth, brackets, full):
    opening, closing = brackets
    inner = b"1" if full or opening != b"[" else b""
    value = b'{"user":"a","amount":1,"deep":%b}' % (opening * depth + inner + closing * depth)
    assert repr(decoded(value)) == repr(parse(value))


def test_exactly_tells_apart_what_python_holds_equal():
    texts = [exactly(number) for number in (0, 0.0, -0.0, False, 1, 1.0, True)]
    assert len({*texts}) == len(texts)
