"""What a supervisor asks a worker: nobody waits for another one, and every question gets its end."""

import threading
from concurrent.futures import wait
from multiprocessing import Pipe

import pytest

from wallaroo.service.protocol import ExitReason, KeyAbsent, StateRequest, StatusRequest
from wallaroo.service.questions import Questions

SECONDS = 10


@pytest.fixture
def pipe():
    ours, theirs = Pipe()
    yield ours, theirs
    theirs.close()


@pytest.fixture
def questions(pipe):
    return Questions(pipe[0], "worker 0")


@pytest.fixture
def worker(pipe):
    """The other end; it answers when a test says so."""
    return pipe[1]


def answer_one(worker):
    """Answer with what has been asked, so that a test sees whose answer it is."""
    worker.send(worker.recv())


def test_each_question_gets_its_own_answer(questions, worker):
    asked = [questions.ask(StateRequest("totals", key)) for key in (b"a", b"b", b"c")]
    [answer_one(worker) for _ in asked]
    assert [answer.result(SECONDS).key for answer in asked] == [b"a", b"b", b"c"]


def test_a_late_answer_goes_to_the_question_it_belongs_to(questions, worker):
    late = questions.ask(StateRequest("totals", b"late"))
    assert not wait([late], 0.001).done
    next_one = questions.ask(StateRequest("totals", b"next"))
    answer_one(worker)
    answer_one(worker)
    assert next_one.result(SECONDS).key == b"next"
    assert late.result(SECONDS).key == b"late"


def test_many_threads_ask_at_once(questions, worker):
    answers = {}

    def ask(key):
        answers[key] = questions.ask(StateRequest("totals", key)).result(SECONDS).key

    keys = [b"%d" % number for number in range(40)]
    threads = [threading.Thread(target=ask, args=(key,)) for key in keys]
    [thread.start() for thread in threads]
    [answer_one(worker) for _ in keys]
    [thread.join(SECONDS) for thread in threads]
    assert answers == {key: key for key in keys}


def test_asking_a_worker_that_stands_still_never_blocks(questions):
    asked = [questions.ask(StateRequest("totals", b"k" * 10_000)) for _ in range(1_000)]
    asked += [questions.ask(StatusRequest()) for _ in range(1_000)]
    assert any(answer.done() and answer.result() is None for answer in asked)


def test_a_worker_that_answers_again_is_asked_again(questions, worker):
    asked = [questions.ask(StatusRequest()) for _ in range(1_000)]
    written = [answer for answer in asked if not answer.done()]
    [answer_one(worker) for _ in written]
    wait(written, SECONDS)
    again = questions.ask(StatusRequest())
    answer_one(worker)
    assert again.result(SECONDS) == StatusRequest()


def test_the_end_of_a_worker_is_the_answer_to_all_it_owes(questions, worker):
    asked = questions.ask(StatusRequest())
    worker.close()
    assert asked.result(SECONDS) is None
    assert questions.ask(StatusRequest()).result(SECONDS) is None


def test_after_the_end_nothing_is_waited_for(questions, worker):
    asked = questions.ask(StatusRequest())
    questions.end()
    worker.send(KeyAbsent(frozenset(), frozenset()))
    assert asked.result(SECONDS) is None
    assert questions.ask(StatusRequest()).result(SECONDS) is None


def test_an_exit_reason_is_no_answer(questions, worker):
    asked = questions.ask(StateRequest("totals", b"a"))
    worker.send(ExitReason("the topic is gone"))
    answer_one(worker)
    worker.close()
    questions.await_end(SECONDS)
    assert questions.exit_reason == "the topic is gone"
    assert asked.result(SECONDS) == StateRequest("totals", b"a")
