"""What the figures of the code's structure are counted from: a package of a few files, and a few calls."""

import pytest

from scripts.figures import fan_outs, importers, read_modules, small_with_one_importer, structure_figures
from scripts.ways import Call, Function, Mark, ways

FILES = {
    "yard/__init__.py": "",
    "__init__.py": "from shop.till import Till\n",
    "till.py": "from shop import money\nfrom .shapes import Drawer\n\n\nclass Till:\n    pass\n",
    "money.py": "def rounded(pence):\n    return pence // 5 * 5\n",
    "shapes.py": (
        "import typing\n\n\nclass Drawer(typing.Protocol):\n    def open(self) -> None:\n"
        '        """Let it out."""\n\n    def close(self) -> None: ...\n'
    ),
}

RUN, TURN, IDLE = Function("loop.py", "run"), Function("loop.py", "turn"), Function("loop.py", "look")
DECODE, COUNT = Function("task.py", "decode"), Function("metrics.py", "count")
WRITE, SEND = Function("engine/transaction.py", "write"), Function("kafka/send.py", "send")
COLLECT, LAND = Function("task.py", "collect"), Function("engine/cycle.py", "land")


@pytest.fixture
def shop(tmp_path):
    package = tmp_path / "shop"
    (package / "yard").mkdir(parents=True)
    for name, text in FILES.items():
        (package / name).write_text(text)
    return read_modules(package)


def test_every_file_with_a_line_is_a_module(shop):
    assert [*shop] == ["shop", "shop.money", "shop.shapes", "shop.till"]
    assert [module.lines for module in shop.values()] == [1, 2, 8, 6]


def test_a_small_module_with_one_importer_is_found_and_an_interface_is_none(shop):
    assert small_with_one_importer(shop) == {"shop.money": "shop.till", "shop.till": "shop"}


def test_a_package_that_offers_a_name_imports_only_what_no_other_module_does(shop, tmp_path):
    (tmp_path / "shop" / "clerk.py").write_text("def serve():\n    from shop.till import Till\n")
    assert importers(shop, "shop.till") == ["shop"]
    assert importers(read_modules(tmp_path / "shop"), "shop.till") == ["shop.clerk"]


def test_the_fan_out_counts_modules_once_in_whatever_form_they_are_imported(shop):
    assert fan_outs(shop)[0] == ("shop.till", 2)


def test_the_figures_of_a_package(shop):
    assert [*structure_figures(shop).values()] == [4, 17, 17, 2, 2]


def entered(*stack, idle=False):
    return Call(None, stack, idle)


def marked(mark, *stack, idle=False):
    return Call(mark, stack, idle)


def idle_turn(idle=False):
    at = marked(Mark.POLL, RUN, TURN, idle=idle)
    return [at, at._replace(mark=Mark.POLLED), entered(RUN, TURN, IDLE, idle=idle)]


RECORDS = [
    *idle_turn(),
    entered(RUN, TURN, DECODE),
    marked(Mark.APPLICATION, RUN, TURN, DECODE),
    marked(Mark.OUTPUT, RUN, TURN, DECODE),
    entered(RUN, TURN, COUNT),
]
START = [*idle_turn(), marked(Mark.METADATA, RUN, TURN), entered(RUN, TURN, COLLECT)]
LANDING = [*idle_turn(), entered(RUN, TURN, LAND), entered(RUN, TURN, LAND, COUNT)]
LOOP = [*RECORDS, *START, *idle_turn(), *LANDING, *idle_turn()] * 3 + idle_turn(idle=True)
COMMITTER = [entered(WRITE), marked(Mark.BEGIN, WRITE), entered(WRITE, SEND)] * 3


def test_a_record_passes_what_leads_to_the_client_and_what_is_called_until_its_output():
    assert ways([LOOP, COMMITTER]).record == [RUN, TURN, IDLE, DECODE]


def test_a_commit_passes_what_idle_turns_do_not_call_in_both_threads_but_no_metrics():
    found = ways([LOOP, COMMITTER])
    assert found.commit == [TURN, COLLECT, LAND, WRITE, SEND]
    assert found.commit_room == "engine"


def test_what_one_round_alone_calls_is_on_no_way():
    assert ways([[*LOOP, *RECORDS[:3], entered(RUN, TURN, SEND), *RECORDS[3:]], COMMITTER]).record == [
        *(RUN, TURN, IDLE, DECODE)
    ]


def test_without_a_second_commit_there_is_no_telling():
    with pytest.raises(RuntimeError, match="two commits"):
        ways([[*RECORDS, *START, *LANDING, *RECORDS], COMMITTER])
