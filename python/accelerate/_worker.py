"""What a process that `notebook_launcher` started does: call the function, and report the exception."""

import json
import linecache
import os
import pickle
import sys
import time
import traceback
import types

CALL_FILE = "call.pickle"


def report_file(folder, rank):
    """Where the process `rank` says which exception ended it."""
    return os.path.join(folder, f"error_{rank}.json")


def _become(caller):
    """Modules, arguments and sources are found as in the caller."""
    sys.argv[:] = caller["argv"]
    main_module = types.ModuleType("__main__")
    if caller["main_file"] is not None:
        main_module.__file__ = caller["main_file"]
    sys.modules["__main__"] = main_module
    # Tracebacks show lines of notebook cells. No time of change: the lines count although there is no such file.
    for name, lines in caller["sources"].items():
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)


def _fill_main(function):
    """What the function's cells define is found in `__main__`, where pickles of this process look for it."""
    function = getattr(function, "__func__", function)
    names = getattr(function, "__globals__", {})
    if names.get("__name__") == "__main__":
        vars(sys.modules["__main__"]).update({key: value for key, value in names.items() if key[:2] != "__"})


def _is_loss_of_peers(error):
    """Whether another process's failure is somewhere behind this exception."""
    from torch.distributed import DistError

    from .errors import CommError

    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, (CommError, DistError)):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _report(folder, error):
    """Writes what the caller raises again. In one step: the caller may read at any time."""
    rank = int(os.environ.get("RANK", "0"))
    inside = error.__traceback__.tb_next if error.__traceback__ else None
    report = {
        "rank": rank,
        "time": time.monotonic(),  # one clock for all processes of the machine
        "type": type(error).__qualname__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(type(error), error, inside)),
        "is_loss_of_peers": _is_loss_of_peers(error),
    }
    path = report_file(folder, rank)
    with open(path + ".tmp", "w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(report, file)
    os.replace(path + ".tmp", path)


def main(folder):
    """Runs the call that is stored in `folder`; exits with 1 when it raises."""
    with open(os.path.join(folder, CALL_FILE), "rb") as file:
        _become(pickle.load(file))
        try:
            function, args = pickle.load(file)
            _fill_main(function)
            function(*args)
        except KeyboardInterrupt:
            sys.exit(130)  # the caller was interrupted as well, and says so
        except SystemExit as error:
            if error.code not in (None, 0):
                _report(folder, error)
            raise
        except BaseException as error:
            _report(folder, error)
            sys.exit(1)
