"""An application of forty stages in fourteen sub-topologies that meet in one topic."""

import wallaroo

BRANCHES = 6


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.encoder
def encode(message):
    return message.encode()


def key_of(name):
    @wallaroo.key_extractor
    def extract(message):
        return message

    extract.__name__ = name
    return extract


@wallaroo.key_extractor
def user(message):
    return message


def same(name):
    return wallaroo.computation(name)(lambda message: message)


def counted(name):
    def count(message, seen):
        seen.append(message)
        del seen[3:]
        return message

    return wallaroo.state_computation(name, list)(count)


def application_setup(_args):
    branches = []
    for number in range(BRANCHES):
        config = wallaroo.KafkaSourceConfig(f"input-{number}", decoder=decode)
        branch = wallaroo.source(f"input {number}", config)
        for step in range(2):
            branch = branch.to(same(f"clean {number} {step}"))
        branch = branch.key_by(user)
        for step in range(4):
            branch = branch.to(counted(f"enrich {number} {step}"))
        branches.append(branch)
    merged = branches[0]
    for branch in branches[1:]:
        merged = merged.merge(branch)
    merged = merged.key_by(user)
    for step in range(4):
        merged = merged.to(counted(f"count {step}"))
    return wallaroo.build_application(
        "many", merged.to_sink(wallaroo.KafkaSinkConfig("output", encoder=encode))
    )
