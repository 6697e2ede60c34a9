"""Plans come from their seed alone, and what cannot be planned is said."""

import pytest

from tests.faults.kinds import all_kinds
from tests.faults.plan import AT_LEAST_ONCE, PlanError, chosen, plan_of, plans, whole

KINDS = all_kinds()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_seed_gives_the_same_plan_again(kind):
    assert plan_of(7, kind) == plan_of(7, kind)
    assert len({plan_of(seed, kind).faults for seed in range(9)}) > 1


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_plan_has_faults_in_order_within_its_time(kind):
    faults = plan_of(3, kind, seconds=6).faults
    times = [fault.at_seconds for fault in faults]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= 6


def test_one_run_of_many_is_repeated_with_its_own_seed_and_kind():
    kinds = list(KINDS.values())
    seventh = list(plans(100, 9, kinds))[6]
    assert list(plans(seventh.seed, 1, [KINDS[seventh.kind]])) == [seventh]


def test_windows_and_generators_are_tried_exactly_once_alone():
    variants = {plan_of(seed, KINDS["worker-kill"]).variant for seed in range(300)}
    lenient = {variant.shape for variant in variants if variant.guarantee == AT_LEAST_ONCE}
    assert lenient == {"keyed", "hop", "tcp-sink"}


def test_a_kind_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(PlanError, match=r"'earthquake'; there are .*worker-kill"):
        chosen("worker-kill,earthquake", KINDS)


def test_no_kinds_are_all_kinds():
    assert chosen("", KINDS) == list(KINDS.values())


@pytest.mark.parametrize(
    ("given", "said"), [("x", "SEED='x' is no whole number"), ("-1", "SEED=-1 is less than 0")]
)
def test_a_seed_that_is_no_number_is_refused(given, said):
    with pytest.raises(PlanError, match=said):
        whole("SEED", given, 0)
