"""A driver calls user code where a worker would: in a thread that has not imported it, in its context."""

import asyncio
import contextvars
import decimal
import gc
import io
import os
import pdb
import signal
import sqlite3
import threading
import traceback
import weakref

import pytest

import wallaroo
from wallaroo.errors import WallarooError
from wallaroo.testing import ApplicationDriver

ENDS_SECONDS = 10
CHOSEN = contextvars.ContextVar("CHOSEN", default="default")
BOUND = threading.local()
BOUND.value = "of the thread of import"
DATABASE = sqlite3.connect(":memory:")


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.encoder
def encode(message):
    return str(message)


@wallaroo.key_extractor
def key(_message):
    return "one"


SINK = wallaroo.KafkaSinkConfig("out", encoder=encode)


def driver_of(*functions):
    """A driver with a sub-topology for each function, which has a message."""
    pipeline = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode))
    for number, function in enumerate(functions):
        pipeline = pipeline.to(wallaroo.computation(f"stage {number}")(function))
        pipeline = pipeline if number == len(functions) - 1 else pipeline.key_by(key)
    driver = ApplicationDriver(wallaroo.build_application("one", pipeline.to_sink(SINK)))
    driver.send("in", "x")
    return driver


def outcome(function):
    """What comes out of a stage, and the class of its error."""
    driver = driver_of(function)
    driver.run()
    return [*driver.read("out"), *(letter.exception for letter in driver.dead_letters())]


def test_what_is_bound_to_the_thread_of_import_is_not_there():
    assert outcome(lambda _: BOUND.value) == ["builtins.AttributeError"]
    assert outcome(lambda _: DATABASE.execute("select 1")) == ["sqlite3.ProgrammingError"]
    assert outcome(lambda _: asyncio.get_event_loop()) == ["builtins.RuntimeError"]
    assert outcome(lambda _: signal.signal(signal.SIGALRM, signal.SIG_IGN)) == ["builtins.ValueError"]


def test_what_stands_in_the_context_of_import_is_there():
    before = CHOSEN.set("chosen")
    with decimal.localcontext(prec=40):
        driver = driver_of(lambda _: (CHOSEN.get(), decimal.getcontext().prec))
    CHOSEN.reset(before)
    driver.run()
    assert driver.read("out") == [b"('chosen', 40)"]


def set_precision(_):
    before = decimal.getcontext().prec
    decimal.getcontext().prec = 7
    return before


def test_a_decimal_context_that_a_stage_changes_is_that_of_its_worker_and_lost_in_a_crash():
    driver = driver_of(set_precision, lambda before: (before, decimal.getcontext().prec))
    driver.run()
    driver.crash()
    driver.send("in", "x")
    driver.run()
    assert driver.read("out") == [b"(28, 7)"] * 2
    assert decimal.getcontext().prec == 28


def test_each_sub_topology_has_a_thread_until_a_crash():
    found = []
    driver = driver_of(*[lambda _: found.append(threading.current_thread()) or "x"] * 2)
    for crash in (lambda: None, driver.crash, lambda: None):
        driver.run()
        driver.send("in", "x")
        crash()
    first, second, again, again_second, third, fourth = found
    assert (first, second) == (again, again_second)
    assert len({first, second, third, fourth, threading.current_thread()}) == 5
    assert not first.is_alive()


def count_for_thread(_):
    BOUND.count = getattr(BOUND, "count", 0) + 1
    return BOUND.count


def test_what_a_stage_makes_for_its_thread_is_lost_in_a_crash():
    driver = driver_of(count_for_thread)
    for end in (lambda: None, driver.crash, lambda: None):
        driver.run()
        driver.send("in", "x")
        end()
    assert driver.read("out") == [b"1", b"2", b"1"]


class Failing:
    def initial_value(self):
        raise LookupError("of user code")

    def apply(self, _):
        return None


def test_an_error_comes_out_with_its_traceback():
    numbers = wallaroo.source("numbers", wallaroo.GenSourceConfig("numbers", Failing()))
    driver = ApplicationDriver(wallaroo.build_application("generator", numbers.to_sink(SINK)))
    with pytest.raises(LookupError, match="of user code") as caught:
        driver.generate("numbers", 1)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[0] == "test_an_error_comes_out_with_its_traceback"
    assert names[-1] == "initial_value"


@pytest.fixture
def ctrl_c():
    """Ctrl-C interrupts, even where whoever started the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_test_and_the_stage_and_is_no_failure_of_the_record():
    def stay(_):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                pass
        finally:
            ended.set()

    ended = threading.Event()
    driver = driver_of(stay)
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    assert ended.wait(ENDS_SECONDS)
    assert driver.dead_letters() == []
    with pytest.raises(WallarooError, match="interrupted in a call; make a new one"):
        driver.run()


def test_a_keyboard_interrupt_that_code_raises_is_its_own():
    def interrupt(_):
        raise KeyboardInterrupt

    assert outcome(interrupt) == ["builtins.KeyboardInterrupt"]


def test_the_threads_end_with_the_driver():
    threads = []
    driver = driver_of(lambda _: threads.append(threading.current_thread()))
    driver.run()
    gone = weakref.ref(driver)
    del driver
    gc.collect()
    assert gone() is None
    threads[0].join(ENDS_SECONDS)
    assert not threads[0].is_alive()
    assert threads[0].daemon


def test_a_stage_may_look_at_its_own_driver():
    drivers = []
    drivers.append(driver_of(lambda _: (drivers[0].read("out"), drivers[0].step())))
    drivers[0].run()
    assert drivers[0].read("out") == [b"([], 0)"]


def test_what_a_test_patches_and_captures_is_that_of_the_stages(monkeypatch, capsys):
    monkeypatch.setenv("CHOSEN", "patched")
    assert outcome(lambda _: print("in a stage") or os.environ["CHOSEN"]) == [b"patched"]
    assert capsys.readouterr().out == "in a stage\n"


def test_a_debugger_can_be_called_in_a_stage():
    said = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("p message\nc\n"), stdout=said)

    def stop(message):
        debugger.set_trace()
        return message

    assert outcome(stop) == [b"x"]
    assert "(Pdb) 'x'" in said.getvalue()
