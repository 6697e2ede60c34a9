"""An application whose module does on import what EFFECT says, as modules in real life do."""

import argparse
import concurrent.futures
import logging
import logging.config
import multiprocessing
import os
import signal
import threading
import time
import uuid

import wallaroo

EFFECT = os.environ.get("EFFECT", "")
pools = {}


def application_setup(args):
    parser = argparse.ArgumentParser()
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    options = parser.parse_known_args(args)[0]
    out = f"{options.out_topic}-{os.getpid()}" if EFFECT == "pid in a sink" else options.out_topic
    source = wallaroo.source("in", wallaroo.KafkaSourceConfig(options.in_topic, decoder=decode))
    total = source.key_by(text).to(count)
    return wallaroo.build_application("effects", total.to_sink(wallaroo.KafkaSinkConfig(out, encoder=encode)))


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.key_extractor
def text(message):
    return message


class Count:
    count = 0


STAGE = f"count {uuid.uuid4()}" if EFFECT == "chance in a stage" else "count"


@wallaroo.state_computation(name=STAGE, state=Count)
def count(message, state):
    state.count += 1
    if EFFECT in ("process pool", "forked pool"):
        return _pool().submit(str.upper, message).result(20)
    if EFFECT == "pool that is ended":
        with multiprocessing.Pool(1) as pool:
            return pool.apply(str.upper, (message,))
    if EFFECT == "logging in a stage":
        logging.disable(logging.CRITICAL)
    return message.upper()


def _pool():
    if "pool" not in pools:
        context = multiprocessing.get_context("fork" if EFFECT == "forked pool" else None)
        pools["pool"] = concurrent.futures.ProcessPoolExecutor(1, context)
    return pools["pool"]


@wallaroo.encoder
def encode(message):
    return message


def _log_elsewhere():
    logging.config.dictConfig({"version": 1, "root": {"level": "ERROR"}})


def _start_thread():
    threading.Thread(target=time.sleep, args=(10_000,), name="of the application").start()


def _take_signals():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _fail_in_workers():
    if "worker" in multiprocessing.current_process().name:
        raise OSError(98, "Address already in use")


_EFFECTS = {
    "dict_config": _log_elsewhere,
    "thread": _start_thread,
    "signals": _take_signals,
    "fails in workers": _fail_in_workers,
}
_EFFECTS.get(EFFECT, lambda: None)()
