"""python/tests/test_mistakes.py: what people do wrong is explained in one sentence, on every process, in time."""

# time limit: 900 s

import pytest
from conftest import program, run_bounded

START = """
import torch
from torch.utils.data import DataLoader
from accelerate import Accelerator, DataLoaderConfiguration
accelerator = Accelerator({arguments})
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
x = torch.ones(4, 2)
"""


def last_error(done):
    """The exception of the rank that failed first, as the launcher's report ends its traceback."""
    report = done.stderr[done.stderr.index("accelerate launch: rank") :]
    return next(line for line in report.splitlines() if line.strip().startswith("| accelerate.errors."))


def fails_with(launch, body, *words, num_processes=2, arguments="", timeout=90):
    done = launch(START.format(arguments=arguments) + body, num_processes, timeout=timeout)
    assert done.returncode != 0, done.stdout
    message = last_error(done)
    for word in words:
        assert word in message, done.stderr
    return done


def test_no_labels(launch):
    fails_with(
        launch,
        """
class Classifier(torch.nn.Module):
    def __init__(self): super().__init__(); self.layer = torch.nn.Linear(2, 2)
    def forward(self, x, labels=None):
        logits = self.layer(x)
        return {"loss": None if labels is None else torch.nn.functional.cross_entropy(logits, labels), "logits": logits}
model = accelerator.prepare(Classifier())
accelerator.backward(model(x)["loss"])
""",
        "ConfigError",
        "None",
        "'labels'",
    )


def test_the_model_was_not_prepared(launch):
    fails_with(
        launch,
        """
optimizer = accelerator.prepare(optimizer)
accelerator.backward(model(x).sum())
optimizer.step()
""",
        "ConfigError",
        "belongs to none of the 0 prepared models",
        "pass the model to prepare()",
    )


def test_the_prepared_model_was_not_used(launch):
    fails_with(
        launch,
        """
accelerator.prepare(model, optimizer)  # what it returns is thrown away
accelerator.backward(model(x).sum())
""",
        "ConfigError",
        "prepare()",
        "called directly",
    )


def test_the_optimiser_stepped_before_prepare(launch):
    fails_with(
        launch,
        """
(model(torch.randn(4, 2) * (1 + accelerator.process_index)) ** 2).sum().backward()
optimizer.step()
model, optimizer = accelerator.prepare(model, optimizer)
""",
        "ConfigError",
        "already stepped",
        "before the first step",
    )


def test_loaded_optimiser_state_is_no_mistake(launch):
    done = launch(
        START.format(arguments="")
        + """
torch.manual_seed(0)
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
model, optimizer = accelerator.prepare(model, optimizer)
""".replace("torch.manual_seed(0)", "torch.nn.init.ones_(model.weight)"),
        2,
    )
    assert done.returncode == 0, done.stderr


def test_models_differ(launch):
    fails_with(
        launch,
        "accelerator.prepare(torch.nn.Linear(2, 1 + accelerator.process_index))",
        "DistributedOperationException",
        "'weight'",
        "[1, 2]",
        "[2, 2]",
    )


def test_shapes_differ(launch):
    fails_with(
        launch,
        "accelerator.gather(torch.ones(1 + accelerator.process_index))",
        "DistributedOperationException",
        "[1]",
        "[2]",
    )


UNEVEN = """
model, optimizer, loader = accelerator.prepare(model, optimizer, DataLoader(torch.ones(12, 2), batch_size=4))
for batch in loader:
    accelerator.backward(model(batch).sum())
    optimizer.step()
    optimizer.zero_grad()
accelerator.wait_for_everyone()
"""


def test_different_numbers_of_batches(launch):
    fails_with(
        launch,
        UNEVEN,
        "CommError",
        "rank 0",
        "rank 1",
        "different numbers of batches",
        arguments="dataloader_config=DataLoaderConfiguration(even_batches=False)",
    )


def test_one_process_leaves_the_loop(launch):
    fails_with(
        launch,
        UNEVEN.replace("for batch in loader:", "for batch in loader:\n    if accelerator.process_index: break"),
        "CommError",
        "different numbers of batches",
    )


def test_one_process_ends(launch):
    fails_with(
        launch,
        UNEVEN.replace("for batch in loader:", "for batch in loader:\n    if accelerator.process_index: raise SystemExit(0)"),
        "CommError",
        "rank",
    )


def test_a_sampler_that_is_shared_out_already(launch):
    fails_with(
        launch,
        """
from torch.utils.data import DistributedSampler
accelerator.prepare(DataLoader(range(8), sampler=DistributedSampler(range(8), num_replicas=2, rank=0)))
""",
        "ConfigError",
        "DistributedSampler",
    )


def test_a_script_that_raises_on_one_process(launch):
    done = launch(
        START.format(arguments="") + "if accelerator.process_index == 1: raise KeyError('text_column')\n"
        "accelerator.wait_for_everyone()\n",
        3,
    )
    assert done.returncode == 1
    assert done.stderr.count("KeyError: 'text_column'") <= 2, done.stderr  # in the summary and its traceback
    assert "rank 1" in done.stderr.split("Traceback")[0]
    assert done.stderr.count("Traceback") == 1, done.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "nothing to run"),
        (["no_such_script.py"], "'no_such_script.py' does not exist"),
        (["--num_processes", "train.py"], "--num_processes train.py"),
        (["--multi_gpu", "train.py"], "--multi_gpu"),
    ],
)
def test_the_command_line(arguments, words):
    done = run_bounded([program(), "launch", *arguments], 20)
    assert done.returncode in (2, 127)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
