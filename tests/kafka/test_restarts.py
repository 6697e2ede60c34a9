"""A service that is stopped goes on where it was."""

from tests.kafka.cluster import wait_until
from tests.kafka.model import alerts_in, transaction, transactions


def has_come_at_least_once(scenario):
    """Some come twice, so that their number says nothing; these only rise."""
    alerts = alerts_in(scenario.tail(scenario.out_topic).read())
    wanted = scenario.expected.alerts
    return all(user in alerts and alerts[user][-1] >= wanted[user][-1] for user in wanted)


def test_a_service_stopped_and_started_under_load_changes_nothing(scenario, rng):
    service = scenario.start(workers=2)
    with scenario.feeding(transactions(rng, 15_000), seconds=8):
        assert service.stop() == 0
        service.start()
        service.wait_ready()
        assert service.stop() == 0
        service.start()
        # Before it listens to signals, one would end it with -15.
        service.wait_ready()
    scenario.finish()


def test_a_stopped_service_takes_only_seconds_to_end_and_leaves_nothing_behind(scenario, rng):
    service = scenario.start(workers=2)
    scenario.send(transactions(rng, 2_000))
    service.terminate()
    assert service.wait(timeout_seconds=8) == 0
    wait_until(lambda: not service.session_lives(), timeout_seconds=2)


def test_nothing_is_lost_at_least_once_when_a_worker_is_killed(scenario, rng):
    deposits = [transaction(f"user-{rng.randrange(40)}", 3_000) for _ in range(10_000)]
    points = ("after_produce", "after_offsets", "before_begin")
    scenario.launch_faulty(",".join(f"{p}:2" for p in points), processing_guarantee="at_least_once")
    with scenario.feeding(deposits, seconds=6):
        pass
    wait_until(lambda: has_come_at_least_once(scenario), 150)
    scenario.stop_all()
    assert set(scenario.alerts()) == set(scenario.expected.alerts)
    assert has_come_at_least_once(scenario)


def test_what_came_while_nobody_ran_is_processed_by_the_next_start(scenario, rng):
    scenario.send(transactions(rng, 3_000))
    scenario.start()
    scenario.finish()
