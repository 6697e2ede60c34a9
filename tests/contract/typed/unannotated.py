"""An application without an annotation: nothing is known, and so nothing is wrong."""

import wallaroo


class Total:
    def __init__(self):
        self.amount = 0


class Longest(wallaroo.Aggregation):
    def initial_accumulator(self):
        return ""

    def update(self, word, acc):
        return max(acc, word, key=len)

    def combine(self, acc1, acc2):
        return max(acc1, acc2, key=len)

    def output(self, key, acc):
        return acc


@wallaroo.decoder()
def decode(bs):
    return bs.decode()


@wallaroo.computation_multi(name="split")
def split(line):
    return line.split()


@wallaroo.key_extractor
def first_letter(word):
    return word[0]


@wallaroo.state_computation(name="count", state=Total)
def count(word, total):
    total.amount += 1
    return word, total.amount


@wallaroo.encoder
def encode(counted):
    word, number = counted
    return f"{word} {number}"


def application_setup(args):
    lines = wallaroo.source("lines", wallaroo.KafkaSourceConfig("lines", decoder=decode))
    words = lines.to(split).key_by(first_letter)
    longest = words.to(wallaroo.count_windows(3).over(Longest)).to(count)
    return wallaroo.build_application(
        "words", longest.to_sink(wallaroo.KafkaSinkConfig("out", encoder=encode))
    )
