"""python/tests/test_logging.py: loggers of several processes."""

import logging
import re

import pytest

from accelerate import PartialState
from accelerate.logging import get_logger


def test_a_logger_needs_the_state(fresh_state):
    logger = get_logger("accelerate.test.early")
    with pytest.raises(RuntimeError, match="'accelerate.test.early'.*PartialState"):
        logger.warning("x")


def test_lines_carry_process_and_caller(fresh_state, caplog):
    PartialState()
    logger = get_logger("accelerate.test.lines", log_level="INFO")
    logger.info("a %s", "b")
    logger.info("ordered", in_order=True)
    for _ in range(3):
        logger.warning_once("once")
    logger.debug("below the level")
    assert [record.getMessage() for record in caplog.records] == ["[RANK 0] a b", "[RANK 0] ordered", "[RANK 0] once"]
    assert {record.filename for record in caplog.records} == {"test_logging.py"}
    logging.root.setLevel(logging.WARNING)


def test_the_level_may_come_from_the_environment(fresh_state, monkeypatch):
    root = logging.root.level
    monkeypatch.setenv("ACCELERATE_LOG_LEVEL", "debug")
    try:
        assert get_logger("accelerate.test.environment").isEnabledFor(logging.DEBUG)
    finally:
        logging.root.setLevel(root)


SCRIPT = """
import logging, sys
from accelerate import PartialState
from accelerate.logging import get_logger
from accelerate.utils import tqdm
logging.basicConfig(stream=sys.stdout, format="%(message)s")
logger = get_logger("x", log_level="INFO")
state = PartialState()
logger.info("main")
logger.info("all", main_process_only=False)
state.wait_for_everyone()
# Levels differ: the one that writes nothing takes part in the order all the same.
if state.process_index == 1:
    logger.setLevel(logging.ERROR)
logger.warning("order", in_order=True)
print(list(tqdm(range(3), file=sys.stdout, bar_format="bar{n}", mininterval=0)))
"""


def test_processes_write_as_told(launch):
    done = launch(SCRIPT, 3)
    assert done.returncode == 0, done.stderr
    lines = re.split("[\n\r]", done.stdout)
    assert [line for line in lines if "main" in line] == ["[RANK 0] main"]
    assert sorted(line for line in lines if "all" in line) == [
        "[RANK 0] all",
        "[rank 1] [RANK 1] all",
        "[rank 2] [RANK 2] all",
    ]
    assert sorted(line for line in lines if "order" in line) == ["[RANK 0] order", "[rank 2] [RANK 2] order"]
    assert sum("[0, 1, 2]" in line for line in lines) == 3
    assert not [line for line in lines if "bar" in line and "[rank" in line]
    assert [line for line in lines if "bar3" in line]
