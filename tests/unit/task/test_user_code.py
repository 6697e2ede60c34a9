"""Which stage a stack is in."""

import sys
from functools import wraps

import wallaroo
from tests.properties.window_samples import Gather, Shape, by_key, finished, source
from wallaroo.task.user_code import place_in, stages_by_code
from wallaroo.topology.compile import compile_topology

seen = []


def note_stack():
    seen[:] = [sys._getframe()]


def logged(function):
    @wraps(function)
    def call(value):
        return function(value)

    return call


@wallaroo.computation(name="first")
@logged
def first(value):
    note_stack()
    return value


@wallaroo.computation(name="second")
@logged
def second(value):
    note_stack()
    return value


class Noting(Gather):
    def update(self, message, values):
        note_stack()


def stages_of(pipeline):
    stages = {}
    for sub in compile_topology(finished(pipeline)).sub_topologies:
        stages |= stages_by_code(sub)
    return stages


def test_the_innermost_function_of_a_stage_says_which_stage_it_is_and_where():
    stages = stages_of(source().to(first).to(second))
    first.compute(1)
    assert place_in(seen[0], stages)[0] == "first"
    second.compute(1)
    stage, where = place_in(seen[0], stages)
    assert (stage, where.endswith("in second")) == ("second", True)


def test_the_methods_of_an_aggregation_are_those_of_its_windows():
    stages = stages_of(source().key_by(by_key).to(Shape(10, 10).declared(Noting)))
    Noting().update(None, [])
    assert place_in(seen[0], stages)[0] == "Noting"


def test_a_stack_without_user_code_is_in_no_stage():
    stages = stages_of(source().to(first))
    assert place_in(sys._getframe(), stages) == ("", "")


def test_code_that_several_stages_share_names_them_all():
    stages = stages_of(source().to(first).to(second))
    first.compute(1)
    of_the_wrapper = seen[0].f_back.f_back
    assert place_in(of_the_wrapper, stages)[0] == "first or second"
