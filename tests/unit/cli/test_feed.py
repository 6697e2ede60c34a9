"""`wallaroo produce` and `wallaroo receive` over TCP, and what they refuse."""

import io
import socket
import threading

import pytest

from wallaroo.cli import main


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture
def source():
    """A TCP source: what came, and where it listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        came = io.BytesIO()
        thread = threading.Thread(target=_take, args=(listener, came))
        thread.start()
        yield came, f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def _take(listener, came):
    connection, _ = listener.accept()
    with connection:
        while data := connection.recv(1000):
            came.write(data)


@pytest.fixture
def words(tmp_path):
    file = tmp_path / "words.txt"
    file.write_bytes(b"one\nthree\n")
    return str(file)


def test_records_are_sent_to_a_tcp_source_behind_their_length(source, words, capsys):
    came, address = source
    assert main(["produce", words, "--to", address, "--repeat", "2", "--count", "3"]) == 0
    assert came.getvalue() == b"\0\0\0\3one\0\0\0\5three\0\0\0\3one"
    assert capsys.readouterr().err == f"3 records sent to {address}\n"


@pytest.mark.parametrize(
    ("framing", "sent"), [("lines", b"one\nthree\nrest"), ("u32", b"\0\0\0\3one\0\0\0\5three\0\0\0\4re")]
)
def test_what_a_tcp_sink_sends_is_received(framing, sent, free_port, tmp_path):
    output = tmp_path / "received"
    address = f"127.0.0.1:{free_port}"
    argv = ["receive", "--listen", address, "--count", "2", "--framing", framing, "--output", str(output)]
    ended = []
    thread = threading.Thread(target=lambda: ended.append(main(argv)))
    thread.start()
    with _connected(free_port) as connection:
        connection.sendall(sent)
        thread.join(10)
    assert ended == [0]
    assert output.read_bytes() == (b"one\nthree\n" if framing == "lines" else b"\0\0\0\3one\0\0\0\5three")


def _connected(port):
    """A connection to whoever is about to listen there."""
    for _ in range(10_000):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            continue
    raise TimeoutError


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (["produce", "words.txt"], "either --topic TOPIC or --to HOST:PORT"),
        (["produce", "words.txt", "--topic", "t", "--to", "h:1"], "either --topic TOPIC or --to HOST:PORT"),
        (["produce", "missing.txt", "--to", "127.0.0.1:1"], "'missing.txt' cannot be opened"),
        (["produce", "{words}", "--to", "127.0.0.1:1"], "after 0 records, 127.0.0.1:1 takes no more"),
        (["produce", "{words}", "--to", "somewhere"], "'somewhere' is no address; give HOST:PORT"),
        (["produce", "{words}", "--to", "h:1", "--rate", "0"], "--rate"),
        (["receive"], "either --topic TOPIC or --listen HOST:PORT"),
        (["receive", "--listen", "h:1", "--json"], "are for a topic"),
        (["receive", "--listen", "192.0.2.1:1"], "nobody can listen on 192.0.2.1:1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(argv, what, words, capsys):
    assert main([each.format(words=words) for each in argv]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert said.startswith("wallaroo: ")
    assert said.count("\n") == 1
