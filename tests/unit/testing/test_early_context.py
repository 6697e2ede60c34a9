"""What a stage behind windows is told of a result: whether it is the final one of its window."""

import wallaroo
from wallaroo.testing import ApplicationDriver


class Count(wallaroo.Aggregation):
    def initial_accumulator(self):
        return 0

    def update(self, message, acc):
        return acc + 1

    def combine(self, acc1, acc2):
        return acc1 + acc2

    def output(self, key, acc):
        return acc


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.encoder
def encode(count, context):
    return f"{count} {'final' if context.final else 'early'}"


def test_an_early_result_is_marked_and_the_result_of_a_window_that_is_due_is_final():
    source = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode))
    windows = wallaroo.range_windows(wallaroo.seconds(10)).with_early_results().over(Count)
    sink = wallaroo.KafkaSinkConfig("out", encoder=encode)
    application = wallaroo.build_application("early", source.collect().to(windows).to_sink(sink))
    driver = ApplicationDriver(application, partitions=1)
    for at_ms in (1_000, 2_000, 11_000):
        driver.send("in", "x", timestamp_ms=at_ms)
    driver.run()
    assert sorted(driver.read("out")) == [b"1 early", b"1 early", b"2 early", b"2 final"]
