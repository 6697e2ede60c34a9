"""Small declarations that the tests of the API share."""

import wallaroo


class Total:
    amount = 0


class Count(wallaroo.Aggregation):
    def initial_accumulator(self):
        return 0

    def update(self, _input, acc):
        return acc + 1

    def combine(self, acc1, acc2):
        return acc1 + acc2

    def output(self, _key, acc):
        return acc


class Counter:
    def initial_value(self):
        return 1

    def apply(self, previous):
        return previous + 1


@wallaroo.computation("double")
def double(data):
    return data * 2


@wallaroo.computation_multi("split")
def split(data):
    return data.split()


@wallaroo.state_computation("total", Total)
def total(data, state):
    state.amount += data
    return state.amount


@wallaroo.state_computation_multi("history", list)
def history(data, state):
    state.append(data)
    return state


@wallaroo.key_extractor
def user(data):
    return data


@wallaroo.encoder
def line(data):
    return f"{data}\n"


@wallaroo.decoder(header_length=4, length_fmt=">I")
def text(bs):
    return bs.decode()


def plain(data):
    return data


def kafka(name="transactions"):
    return wallaroo.source(name, wallaroo.KafkaSourceConfig(name, decoder=text))


def tcp_sink():
    return wallaroo.TCPSinkConfig("localhost", "7002", line)


def windows():
    return wallaroo.range_windows(wallaroo.seconds(9)).over(Count)
