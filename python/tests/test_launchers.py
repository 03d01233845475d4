"""python/tests/test_launchers.py: notebook_launcher and debug_launcher, from scripts and a real notebook."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from conftest import run_bounded

from accelerate import debug_launcher, notebook_launcher
from accelerate.errors import ConfigError
from accelerate.launchers import RankError


def run_script(folder, text, *args, timeout=120, env=None):
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text))
    return run_bounded([sys.executable, path, *args], timeout, cwd=folder, env=env)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


class TestArguments:
    @pytest.mark.parametrize(
        "argument",
        [
            {"num_nodes": 2},
            {"node_rank": 1},
            {"rdzv_backend": "c10d"},
            {"rdzv_endpoint": "10.0.0.1:29500"},
            {"rdzv_conf": {"rank": 0}},
            {"max_restarts": 1},
            {"master_addr": "10.0.0.1"},
            {"log_line_prefix_template": "x"},
            {"mixed_precision": "fp99"},
            {"num_processes": 0},
            {"num_processes": True},
            {"num_processes": "2"},
        ],
    )
    def test_what_is_not_supported_is_named(self, argument):
        with pytest.raises(ConfigError, match=next(iter(argument))):
            notebook_launcher(lambda: 1 / 0, **argument)

    def test_one_process_is_this_process(self, fresh_state, capsys, monkeypatch):
        monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
        seen = []

        def train(*args):
            seen.append((args, os.getpid(), os.environ.get("ACCELERATE_MIXED_PRECISION")))

        assert notebook_launcher(train, (1, 2), num_processes=1, mixed_precision="bf16", use_port="29501") is None
        assert seen == [((1, 2), os.getpid(), "bf16")]
        assert "ACCELERATE_MIXED_PRECISION" not in os.environ
        assert capsys.readouterr().out == "Launching training on CPU.\n"
        with pytest.raises(ZeroDivisionError):
            notebook_launcher(lambda: 1 / 0, num_processes=1)

    @pytest.mark.parametrize("text, expected", [("num_processes: 2\n", 2), ('{"num_processes": -1}', 1)])
    def test_without_a_number_the_file_decides(self, text, expected, tmp_path):
        folder = tmp_path / "accelerate"
        folder.mkdir()
        (folder / "default_config.yaml").write_text(text)
        script = """
            from accelerate import notebook_launcher
            notebook_launcher(print, ("called",))
        """
        done = run_script(tmp_path, script, env={"HF_HOME": str(tmp_path), "ACCELERATE_USE_CPU": "1"})
        assert done.returncode == 0, done.stderr
        one = ["Launching training on CPU.", "called"]
        two = ["Launching training on 2 CPUs.", "[rank 1] called", "called"]
        assert sorted(done.stdout.splitlines()) == (one if expected == 1 else two)

    def test_inside_of_a_job_it_is_refused(self, launch):
        done = launch("from accelerate import *\nPartialState()\ndebug_launcher(print)", 2)
        assert done.returncode == 1
        assert "of a job of 2 processes already" in done.stderr


def test_what_cannot_be_sent_is_named():
    import threading

    lock = threading.Lock()

    def helper():
        return lock

    def train():
        return helper()

    for function, args, words in (
        (train, (), r"'lock', a lock that helper\(\) uses, cannot be sent"),
        (print, (1, lock), r"args\[1\], a lock, cannot be sent"),
        (lock.acquire, (), "the function 'acquire' cannot be sent"),
    ):
        with pytest.raises(TypeError, match=words):
            debug_launcher(function, args)


SCRIPT = """
    import os, pickle, signal, sys
    import torch
    from beside import from_a_module
    from accelerate import PartialState, debug_launcher
    from accelerate.launchers import RankError
    from accelerate.utils import gather_object

    class Word:
        def __init__(self, text):
            self.text = text

    FACTOR = 7

    def train(mode, tensor):
        state = PartialState()
        rank = state.process_index
        if mode == "fine":
            words = gather_object([Word(f"{rank} of {state.num_processes}")])
            print([word.text for word in words], FACTOR * tensor.sum().item(), sys.argv[1:], from_a_module(), flush=True)
            assert os.environ["ACCELERATE_USE_CPU"] == "True" and state.device.type == "cpu"
            return
        if rank == 1:
            if mode == "raise":
                try:
                    {}["missing"]
                except KeyError as error:
                    raise ValueError("outer \\u00e9") from error
            if mode == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if mode == "leave":
                print("last words", flush=True)
                os._exit(3)
            if mode == "exit":
                sys.exit("reason")
        try:
            state.wait_for_everyone()
        except RuntimeError as error:
            raise ZeroDivisionError("a victim") from error

    if __name__ == "__main__":
        debug_launcher(train, ("fine", torch.ones(2)), num_processes=3)
        for mode in ("raise", "kill", "leave", "exit"):
            try:
                debug_launcher(train, (mode, torch.ones(2)))
            except RankError as error:
                error = pickle.loads(pickle.dumps(error))
                print("ERROR", (mode, error.rank, error.exception_type, error.exception_message, error.traceback or ""))
"""


def test_a_script_gets_output_and_the_first_failure_back(tmp_path):
    (tmp_path / "beside.py").write_text("def from_a_module():\n    return 'module'\n")
    done = run_script(tmp_path, SCRIPT, "one", "two", timeout=200)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    line = "['0 of 3', '1 of 3', '2 of 3'] 14.0 ['one', 'two'] module"
    marks = ("", "[rank 1] ", "[rank 2] ")
    assert sorted(found for found in lines if "0 of 3" in found) == [mark + line for mark in marks]
    errors = [eval(line.removeprefix("ERROR ")) for line in lines if line.startswith("ERROR ")]
    assert [error[:3] for error in errors] == [
        ("raise", 1, "ValueError"),
        ("kill", 1, None),
        ("leave", 1, None),
        ("exit", 1, "SystemExit"),
    ]
    raised, killed, left, exited = errors
    assert raised[3] == "outer é"
    for words in ("script.py", '{}["missing"]', "KeyError: 'missing'", "direct cause", "ValueError: outer é"):
        assert words in raised[4]
    assert "_worker.py" not in raised[4]
    assert killed[3] == "was killed by SIGKILL"
    assert left[3].startswith("exited with code 3") and "last words" in left[3]
    assert exited[3] == "reason"
    assert "accelerate launch:" not in done.stderr


WAITING = """
    import os, sys, time
    from accelerate import debug_launcher

    def train(folder):
        rank = os.environ["RANK"]
        with open(f"{folder}/pid{rank}.tmp", "w") as file:
            file.write(str(os.getpid()))
        os.rename(f"{folder}/pid{rank}.tmp", f"{folder}/pid{rank}")
        time.sleep(100)

    if __name__ == "__main__":
        debug_launcher(train, (sys.argv[1],))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_when_the_caller_is_interrupted_or_killed(tmp_path, number):
    (tmp_path / "script.py").write_text(textwrap.dedent(WAITING))
    caller = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has it ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        files = [tmp_path / "pid0", tmp_path / "pid1"]
        assert wait_for(lambda: all(file.exists() for file in files)), caller.poll()
        ranks = [int(file.read_text()) for file in files]
        assert all(is_alive(pid) for pid in ranks)
        caller.send_signal(number)
        error = caller.communicate(timeout=30)[1]
        assert wait_for(lambda: not any(is_alive(pid) for pid in ranks), 20)
        if number == signal.SIGINT:
            assert error.rstrip().endswith("KeyboardInterrupt") and error.count("Traceback") == 1
    finally:
        caller.kill()
        caller.communicate()


CELLS = [
    """
    import os, signal, threading, time
    import torch
    from accelerate import Accelerator, notebook_launcher
    from accelerate.launchers import RankError
    scale = 3

    class Line:
        def __init__(self, text):
            self.text = text

    def helper(line):
        return line.text * scale

    def train(word):
        accelerator = Accelerator()
        total = accelerator.reduce(torch.ones(1), "sum").item()
        print(helper(Line(word)), accelerator.process_index, total, flush=True)
    """,
    """
    accelerator = Accelerator()  # harmless: the processes are new ones
    notebook_launcher(train, ("ab",), num_processes=2)
    """,
    """
    def failing():
        if Accelerator().process_index == 1:
            raise ValueError("on one")  # this line
        time.sleep(100)
    try:
        notebook_launcher(failing, num_processes=2)
    except RankError as error:
        print(error.rank, error.exception_type, "this line" in error.traceback)
    """,
    """
    lock = threading.Lock()
    def uses_what_stays_here():
        with lock:
            accelerator.wait_for_everyone()
    try:
        notebook_launcher(uses_what_stays_here, num_processes=2)
    except TypeError as error:
        print(error)
    def uses_the_notebooks_accelerator():  # each process makes it again, with the same settings
        accelerator.print("of", accelerator.reduce(torch.ones(1), "sum").item())
    notebook_launcher(uses_the_notebooks_accelerator, num_processes=2)
    """,
    """
    path = os.path.abspath("pid")
    def endless():
        Accelerator().wait_for_everyone()
        if os.environ["RANK"] == "1":
            with open(path, "w") as file:
                file.write(str(os.getpid()))
        time.sleep(100)
    def interrupt():
        while not os.path.exists(path) or not open(path).read():
            time.sleep(0.05)
        os.kill(kernel, signal.SIGINT)
    kernel = os.getpid()
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        notebook_launcher(endless, num_processes=2)
    except KeyboardInterrupt:
        print("interrupted", os.path.exists(f"/proc/{open(path).read()}"))
    """,
    """
    notebook_launcher(train, ("ab",), num_processes=1)
    """,
]


def text_of(cell, stream):
    return "".join(output["text"] for output in cell["outputs"] if output.get("name") == stream)


def test_a_notebook(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(cell)) for cell in CELLS])
    client = nbclient.NotebookClient(
        notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    _, fine, failed, refused, interrupted, single = notebook.cells
    assert sorted(text_of(fine, "stdout").splitlines()) == [
        "Launching training on 2 CPUs.",
        "[rank 1] ababab 1 2.0",
        "ababab 0 2.0",
    ]
    assert "1 ValueError True" in text_of(failed, "stdout")
    assert "'lock', a lock that uses_what_stays_here() uses," in text_of(refused, "stdout")
    assert text_of(refused, "stdout").endswith("of 2.0\n")
    assert "interrupted False" in text_of(interrupted, "stdout")
    assert text_of(single, "stdout") == "Launching training on CPU.\nababab 0 1.0\n"


def test_the_error_prints_as_one_line_and_the_traceback():
    error = RankError(2, "ValueError", "bad", "Traceback: lines", 4)
    assert str(error) == "[launchers] rank 2/4: ValueError: bad\n\nTraceback: lines"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    "module, arguments", [("accelerate", ["launch"]), ("accelerate.commands.launch", [])], ids=["accelerate", "launch"]
)
def test_modules_become_the_program(tmp_path, module, arguments):
    (tmp_path / "hello.py").write_text("import os; print('rank', os.environ['RANK'])")
    command = [sys.executable, "-m", module, *arguments, "--cpu", "--num_processes", "2", "hello.py"]
    done = run_bounded(command, 60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["[rank 1] rank 1", "rank 0"]
