"""Names that differ from one process to the next: a service refuses them, and so does a driver in a crash.

Two new processes import the module of the application, and call its `application_setup` with what it was
given here. They are compared with each other, since a test may have patched what is in this one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from wallaroo.api.pipeline import Application
from wallaroo.errors import TopologyError
from wallaroo.serde.own_modules import imported_modules
from wallaroo.topology.fingerprint import check_same

_SECONDS = 20
_BEGIN = "wallaroo topology: "
_ASK = f"""
import json, sys
from importlib import import_module
module, args, more = json.loads(sys.argv[1])
sys.argv[1:] = args[1:]
application = import_module(module).application_setup(args)
from wallaroo.topology.compile import compile_topology
print({_BEGIN!r} + json.dumps(compile_topology(application, args=more).fingerprint))
"""

_asked: set[str] = set()


def check_names(application: Application, args: Sequence[str]) -> None:
    """Raise TopologyError if two processes do not compile the same; once for each module.

    A module that cannot be imported elsewhere as it was here, or that is a test, is not asked.
    """
    name, module = application.module, sys.modules.get(application.module or "")
    if name is None or module is None or name == "__main__" or name in _asked or application.args is None:
        return
    _asked.add(name)
    if any(imported.startswith("wallaroo.testing") for imported in imported_modules(module)):
        return
    question = json.dumps([name, application.args, list(args)])
    one, other = [_answer(process) for process in [_begin(question, seed) for seed in ("1", "2")]]
    if one is not None and other is not None:
        try:
            check_same(one, other, ("in one process", "in another one"))
        except TopologyError:
            _asked.discard(name)
            raise


def _begin(question: str, hash_seed: str) -> "subprocess.Popen[str]":
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    return subprocess.Popen(  # noqa: S603 - this Python, with a program of ours
        [sys.executable, "-c", _ASK, question],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": hash_seed},
    )


def _answer(process: "subprocess.Popen[str]") -> Sequence[str] | None:
    try:
        said, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    found = [line.removeprefix(_BEGIN) for line in said.splitlines() if line.startswith(_BEGIN)]
    if process.returncode or not found:
        return None
    lines: Sequence[str] = json.loads(found[-1])
    return lines
