"""Training functions on several processes, from notebooks and scripts."""

import codecs
import contextlib
import inspect
import json
import linecache
import os
import pickle
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

from . import _worker
from .commands.program import native_program
from .errors import ConfigError
from .utils.dataclasses import PrecisionType
from .utils.environment import parse_flag_from_env, patch_environment

# Time for processes to end after an interrupt, before they are killed.
_GRACE_SECONDS = 10

# Started in place of the program itself, so that no process outlives a notebook whose kernel is killed: 1 is
# PR_SET_PDEATHSIG. The parent may be gone already when it takes effect.
_BOUND_TO_PARENT = (
    "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGTERM); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)
# The caller's modules are found before anything of this package is imported.
_START_WORKER = (
    "import pickle, sys; sys.path[:] = pickle.load(open(sys.argv[1] + '/path.pickle', 'rb')); "
    "from accelerate import _worker; _worker.main(sys.argv[1])"
)


class RankError(RuntimeError):
    """A process that a launcher of this module started has failed: the first one, not those that only lost it.

    Attributes:
        rank (`int`): its index in the job, or None when not even one was started.
        exception_type (`str`): name of the exception's class; None when there was none (killed, or exited).
        exception_message (`str`): the exception's text, or how the process ended.
        traceback (`str`): the process's traceback with all causes; None without an exception.
    """

    def __init__(
        self,
        rank: int | None,
        exception_type: str | None,
        exception_message: str,
        traceback: str | None,
        num_processes: int,
    ) -> None:
        self.rank = rank
        self.exception_type = exception_type
        self.exception_message = exception_message
        self.traceback = traceback
        self.num_processes = num_processes
        what = exception_message if exception_type is None else f"{exception_type}: {exception_message}"
        where = "[launchers]" if rank is None else f"[launchers] rank {rank}/{num_processes}:"
        super().__init__(f"{where} {what}" + (f"\n\n{traceback}" if traceback else ""))

    def __reduce__(self):
        return RankError, (
            self.rank,
            self.exception_type,
            self.exception_message,
            self.traceback,
            self.num_processes,
        )


def notebook_launcher(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    num_processes: int | None = None,
    mixed_precision: str = "no",
    use_port: str | int = "29500",
    master_addr: str = "127.0.0.1",
    node_rank: int = 0,
    num_nodes: int = 1,
    rdzv_backend: str = "static",
    rdzv_endpoint: str = "",
    rdzv_conf: dict[str, Any] | None = None,
    rdzv_id: str = "none",
    max_restarts: int = 0,
    monitor_interval: float = 0.1,
    log_line_prefix_template: str | None = None,
) -> None:
    """Runs a training function on several processes of this machine, from a notebook or a script.

    One process: the function is called here. Several: clean new processes; nothing that was done in the notebook is in
    the way, an `Accelerator` or CUDA included. Functions and classes of cells travel with the call, and so do the
    values that they use. What the processes print appears here, lines of others than process 0 with ``[rank 1]``.
    Interrupting this call ends them.

    Args:
        function (callable): makes its own `Accelerator`. What it returns is dropped.
        args (`tuple`): its arguments.
        num_processes (`int`, *optional*): default: one for each GPU; without one, what the configuration file says,
            else 1.
        mixed_precision (`str`): the default of every `Accelerator` inside.
        use_port (`str`): kept for scripts; a free port is taken.
        monitor_interval (`float`): kept for scripts; a failure is seen at once.
        master_addr, node_rank, num_nodes, rdzv_backend, rdzv_endpoint, rdzv_conf, rdzv_id, max_restarts,
            log_line_prefix_template: supported at their defaults only.

    Raises:
        RankError: a process failed; names it and holds its traceback.
        ConfigError: for arguments that are not supported, and inside of a process that was started for a job.
        TypeError: when the function or an argument cannot be sent to another process; names it.
    """
    _refuse_unsupported(
        master_addr=(master_addr, ("127.0.0.1", "localhost")),
        node_rank=(node_rank, (0,)),
        num_nodes=(num_nodes, (1,)),
        rdzv_backend=(rdzv_backend, ("static",)),
        rdzv_endpoint=(rdzv_endpoint, ("", None)),
        rdzv_conf=(rdzv_conf, (None, {})),
        rdzv_id=(rdzv_id, ("none", None)),
        max_restarts=(max_restarts, (0,)),
        log_line_prefix_template=(log_line_prefix_template, (None,)),
    )
    precision = _precision(mixed_precision)
    count = _default_num_processes() if num_processes is None else _checked_count(num_processes)
    uses_gpus = _uses_gpus()
    # An Accelerator that asks for a precision itself is not overruled, nor is the environment by the default.
    variables = {} if precision == "no" else {"accelerate_mixed_precision": precision}
    with patch_environment(**variables):
        if count == 1:
            print("Launching training on one GPU." if uses_gpus else "Launching training on CPU.")
            function(*args)
            return
        _check_place("notebook_launcher")
        _warn_of_memory(uses_gpus)
        print(f"Launching training on {count} {'CUDA' if uses_gpus else 'CPU'}s.")
        _launch(function, args, count, [] if uses_gpus else ["--cpu"])


def debug_launcher(function: Callable[..., Any], args: Sequence[Any] = (), num_processes: int = 2) -> None:
    """Runs a training function on several CPU processes of this machine, for tests; see `notebook_launcher`.

    Args:
        function (callable): makes its own `Accelerator`. What it returns is dropped.
        args (`tuple`): its arguments.
        num_processes (`int`): at least 1.

    Raises:
        As `notebook_launcher`.
    """
    count = _checked_count(num_processes)
    _check_place("debug_launcher")
    with patch_environment(accelerate_mixed_precision="no"):
        _launch(function, args, count, ["--cpu"])


# --- what is asked for


def _refuse_unsupported(**arguments):
    for name, (value, supported) in arguments.items():
        if value not in supported:
            raise ConfigError(
                f"[notebook_launcher] {name} is {value!r}, which is not supported yet; processes are started on this "
                "machine and once: leave it out"
            )


def _precision(mixed_precision):
    try:
        return str(PrecisionType(str(mixed_precision).lower()))
    except ValueError:
        raise ConfigError(
            f"[notebook_launcher] mixed_precision is {mixed_precision!r}, expected one of "
            f"{', '.join(PrecisionType.list())}"
        ) from None


def _checked_count(num_processes):
    if isinstance(num_processes, bool) or not isinstance(num_processes, int) or num_processes < 1:
        raise ConfigError(f"[launchers] num_processes is {num_processes!r}, expected a number of at least 1")
    return num_processes


def _uses_gpus():
    return torch.cuda.is_available() and not parse_flag_from_env("ACCELERATE_USE_CPU")


def _default_num_processes():
    if _uses_gpus():
        return torch.cuda.device_count()
    from .commands.config import default_config_file, load_config_from_file

    if not os.path.isfile(default_config_file):
        return 1
    count = load_config_from_file(default_config_file).to_dict().get("num_processes", 1)
    return count if isinstance(count, int) and count > 0 else 1


def _check_place(launcher):
    from .state import PartialState

    state = PartialState._shared_state
    if "_group" in state and state["num_processes"] > 1:
        raise ConfigError(
            f"[{launcher}] this is rank {state['process_index']} of a job of {state['num_processes']} processes "
            "already; call the launcher in a process of its own, or call the training function directly"
        )


def _warn_of_memory(uses_gpus):
    """New processes do not inherit CUDA, so memory is the only thing that this one takes from them."""
    if not uses_gpus or not torch.cuda.is_initialized():
        return
    held = sum(torch.cuda.memory_reserved(index) for index in range(torch.cuda.device_count()))
    if held > 0:
        warnings.warn(
            f"[notebook_launcher] CUDA is in use in this process, which holds {held / 2**20:.0f} MiB of GPU memory that "
            "the training processes will not have; delete its tensors and call torch.cuda.empty_cache(), or restart "
            "the notebook and touch GPUs only inside the training function",
            stacklevel=3,
        )


# --- what is sent


def _cell_sources():
    """Lines of code that is in no file: cells of a notebook."""
    return {
        name: list(entry[2])
        for name, entry in list(linecache.cache.items())
        if len(entry) == 4 and not os.path.exists(name)
    }


def _pickle_call(function, args):
    import cloudpickle

    try:
        return cloudpickle.dumps((function, tuple(args)))
    except Exception as error:  # whatever the objects' own code raises
        what = _unpicklable(function, args, cloudpickle)
        raise TypeError(
            f"[launchers] {what} cannot be sent to other processes ({type(error).__name__}: {error}); make it inside "
            "the training function"
        ) from error


def _unpicklable(function, args, cloudpickle):
    """Words for the value that does not go through a pickle."""

    def fails(value):
        try:
            cloudpickle.dumps(value)
            return False
        except Exception:
            return True

    for index, value in enumerate(args):
        if fails(value):
            return f"args[{index}], a {type(value).__name__},"
    trail: list[str] = []
    current = function
    while inspect.isfunction(current) and len(trail) < 10:
        trail.append(current.__name__)
        used = inspect.getclosurevars(current)
        found = [(name, value) for name, value in {**used.globals, **used.nonlocals}.items() if fails(value)]
        found = [(name, value) for name, value in found if value is not current]
        if not found:
            break
        name, current = found[0]
        if not inspect.isfunction(current):
            return f"'{name}', a {type(current).__name__} that {trail[-1]}() uses,"
    return f"the function {getattr(function, '__name__', function)!r}"


def _store_call(folder, function, args):
    main_module = sys.modules.get("__main__")
    caller = {
        "argv": list(sys.argv),
        "main_file": getattr(main_module, "__file__", None),
        "sources": _cell_sources(),
    }
    call = _pickle_call(function, args)
    with open(os.path.join(folder, "path.pickle"), "wb") as file:
        pickle.dump([os.path.abspath(entry) for entry in sys.path], file)
    with open(os.path.join(folder, _worker.CALL_FILE), "wb") as file:
        file.write(pickle.dumps(caller) + call)


# --- running


def _launch(function, args, num_processes, flags):
    with tempfile.TemporaryDirectory(prefix="accelerate-") as folder:
        _store_call(folder, function, args)
        command = [
            *(sys.executable, "-I", "-S", "-c", _BOUND_TO_PARENT, str(os.getpid())),
            *(native_program(), "launch", *flags, "--num_processes", str(num_processes), "--"),
            *(sys.executable, "-c", _START_WORKER, folder),
        ]
        code, notices = _run(command)
        if code != 0:
            raise _first_failure(folder, code, notices, num_processes)


def _run(command):
    """Runs the launcher, showing what the ranks write; gives its exit code and what it said itself."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONUNBUFFERED": "1", **os.environ},
        start_new_session=True,  # an interrupt arrives once: from here
    )
    notices = _Notices()
    try:
        try:
            _show_output(process, notices)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            _show_output(process, notices, deadline=time.monotonic() + _GRACE_SECONDS)
            raise
        return process.wait(), notices.text
    finally:
        _end(process)


def _end(process):
    """Leaves nothing behind, whatever happened."""
    if process.poll() is None:
        process.kill()  # its ranks die with it
    process.wait()
    process.stdout.close()
    process.stderr.close()


class _Notices:
    """Lines of the launcher itself, which end up in the exception, taken out of its standard error."""

    def __init__(self):
        self.text = ""
        self._rest = ""
        self._is_notice = False

    def pass_on(self, text, stream):
        # A carriage return ends a piece as well: progress bars are shown as they grow.
        *pieces, self._rest = re.split(r"(?<=[\n\r])", self._rest + text)
        for piece in pieces:
            self._is_notice = piece.startswith("accelerate launch: ") or (self._is_notice and piece[:4] == "  | ")
            if self._is_notice:
                self.text += piece
            else:
                stream.write(piece)

    def finish(self, stream):
        stream.write(self._rest)
        self._rest = ""


def _show_output(process, notices, deadline=None):
    """Copies what the launcher writes to this process's streams, until it ends.

    In this thread: a notebook shows output below the cell whose thread writes it, and an interrupt arrives here.
    """
    decoder = codecs.getincrementaldecoder("utf-8")
    targets = {
        process.stdout: (decoder(errors="replace"), lambda text: sys.stdout.write(text), sys.stdout),
        process.stderr: (decoder(errors="replace"), lambda text: notices.pass_on(text, sys.stderr), sys.stderr),
    }
    with selectors.DefaultSelector() as selector:
        for pipe in targets:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            timeout = None if deadline is None else max(0, deadline - time.monotonic())
            ready = selector.select(timeout)
            if not ready and deadline is not None:
                return
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                decode, write, stream = targets[key.fileobj]
                write(decode.decode(chunk, final=not chunk))
                stream.flush()
                if not chunk:
                    selector.unregister(key.fileobj)
    notices.finish(sys.stderr)


# --- what went wrong

_VERDICT = re.compile(r"^accelerate launch: rank (\d+) of \d+ on \S+ ((?:exited with code|was killed by) \S+)", re.M)


def _read_reports(folder, num_processes):
    reports = {}
    for rank in range(num_processes):
        with contextlib.suppress(FileNotFoundError), open(_worker.report_file(folder, rank), encoding="utf-8") as file:
            reports[rank] = json.load(file)
    return reports


def _first_failure(folder, code, notices, num_processes):
    """The exception for the rank that failed first, not for one that failed because it lost that one."""
    reports = _read_reports(folder, num_processes)
    verdict = _VERDICT.search(notices)
    if verdict and int(verdict[1]) not in reports:
        named = int(verdict[1])
        how = f"{verdict[2]} without an exception; its last lines:\n{notices}" if "code" in verdict[2] else verdict[2]
        return RankError(named, None, how, None, num_processes)
    causes = [report for report in reports.values() if not report["is_loss_of_peers"]]
    candidates = causes or list(reports.values())
    if not candidates:
        return RankError(None, None, f"no rank was started (exit code {code}): {notices}", None, num_processes)
    first = min(candidates, key=lambda report: report["time"])
    return RankError(first["rank"], first["type"], first["message"], first["traceback"], num_processes)
