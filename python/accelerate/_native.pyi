# accelerate/_native.pyi: the engine as Python sees it. Written by tools/python_stubs.sh.
"""
The engine behind the package accelerate; private.
"""
from __future__ import annotations
import collections.abc
import datetime
import torch
import torch.distributed.distributed_c10d
import typing
__all__: list[str] = ['Accumulate', 'ActiveLoader', 'Autocast', 'AutocastContext', 'BatchShard', 'BatchSizeSearch', 'CheckpointError', 'CommError', 'CommHook', 'ConfigError', 'DistributedDataParallelOptions', 'DistributedOperationException', 'GradScaler', 'GradientGuard', 'GradientState', 'InternalError', 'Join', 'LoaderPosition', 'LocalSGD', 'ModelCore', 'Models', 'NoSync', 'ParameterCheck', 'PowerSgdOptions', 'ProcessGroup', 'ProcessState', 'Reduction', 'RoundShard', 'StepGate', 'StepGuard', 'StepGuards', 'Trigger', 'backward', 'barrier', 'broadcast', 'broadcast_bytes', 'check_precision', 'clip_grad_norm', 'clip_grad_value', 'gather', 'gather_bytes', 'gather_valid_rows', 'initialize_process_state', 'open_store', 'pad_across_processes', 'peak_memory', 'reduce', 'reset_peak_memory', 'reset_process_state', 'resolve_precision', 'run_in_order', 'schedule_steps', 'share_of', 'torch_version', 'valid_rows']
class ConfigError(ValueError):
    """
    What the caller asked for cannot be done, and the caller can fix it.
    """
class CommError(RuntimeError):
    """
    Another process is gone, late or disagrees; nothing more can be exchanged.
    """
class DistributedOperationException(CommError):
    """
    Processes were about to exchange different things; names two of them. Raised on all of them.
    """
class CheckpointError(RuntimeError):
    """
    A file could not be read or written; names the path.
    """
class InternalError(RuntimeError):
    """
    A defect of this package.
    """
class ProcessState:
    """
    The place of this process in its job.
    """
    @property
    def device(self) -> str:
        """
        Name of the device of this process, such as 'cuda:0'.
        """
    @property
    def global_rank(self) -> int:
        """
        Index of this process in the job, from 0.
        """
    @property
    def is_one_machine(self) -> bool:
        """
        Whether the job is known to run on one machine.
        """
    @property
    def local_rank(self) -> int:
        """
        Index of this process on its machine, from 0.
        """
    @property
    def local_world_size(self) -> int:
        """
        Processes of the job on this machine.
        """
    @property
    def num_threads(self) -> int:
        """
        Threads of this process for computing.
        """
    @property
    def origin(self) -> str:
        """
        Who started this process, as its variables tell.
        """
    @property
    def world_size(self) -> int:
        """
        Processes of the job.
        """
class ActiveLoader:
    """
    A loader that is being iterated.
    """
class LoaderPosition(ActiveLoader):
    """
    Where one pass over a loader is.
    """
    def __init__(self) -> None:
        """
        Before the first batch.
        """
    @property
    def batch_index(self) -> int:
        """
        Number of the batch that was handed out last, from 0; -1 when unknown.
        """
    @batch_index.setter
    def batch_index(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def end_of_dataloader(self) -> bool:
        """
        Whether the last batch was handed out.
        """
    @end_of_dataloader.setter
    def end_of_dataloader(self, arg0: bool) -> None:
        ...
    @property
    def loader(self) -> typing.Any:
        """
        A weak reference to the loader, or None.
        """
    @loader.setter
    def loader(self, arg0: typing.Any) -> None:
        ...
    @property
    def remainder(self) -> int:
        """
        Samples of the last round when they do not fill it, 0 when they do, -1 when unknown.
        """
    @remainder.setter
    def remainder(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def valid_samples(self) -> int:
        """
        Samples of this process's batch that are not repetitions; -1 when unknown.
        """
    @valid_samples.setter
    def valid_samples(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
class GradientState:
    """
    Where the current step is.
    """
    def __init__(self) -> None:
        """
        Outside of any loader; every backward synchronises.
        """
    def push_loader(self, loader: ActiveLoader) -> None:
        """
        Makes `loader` the innermost one, while it lives.
        """
    def remove_loader(self, loader: ActiveLoader) -> None:
        """
        Removes `loader`, wherever it is.
        """
    @property
    def active_loaders(self) -> list[ActiveLoader]:
        """
        The loaders that are being iterated, innermost last.
        """
    @property
    def end_of_dataloader(self) -> bool:
        """
        Of the innermost loader; False outside of one.
        """
    @property
    def exact_last_window(self) -> bool:
        """
        Whether a sum that a loader's end cut short is divided by its own length.
        """
    @exact_last_window.setter
    def exact_last_window(self, arg1: bool) -> None:
        ...
    @property
    def in_dataloader(self) -> bool:
        """
        Whether a loader is being iterated.
        """
    @property
    def loss_divisor(self) -> int:
        """
        What losses of the current batch are divided by.
        """
    @property
    def num_steps(self) -> int:
        """
        Batches whose gradients add up before a step, at least 1.
        """
    @num_steps.setter
    def num_steps(self, arg1: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def remainder(self) -> int:
        """
        Of the innermost loader; -1 outside of one.
        """
    @property
    def step(self) -> int:
        """
        Batches since the counter was last reset.
        """
    @step.setter
    def step(self, arg1: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def sync_each_batch(self) -> bool:
        """
        Whether gradients are exchanged after every batch.
        """
    @sync_each_batch.setter
    def sync_each_batch(self, arg1: bool) -> None:
        ...
    @property
    def sync_gradients(self) -> bool:
        """
        Whether this backward exchanges gradients, and optimisers step.
        """
    @sync_gradients.setter
    def sync_gradients(self, arg1: bool) -> None:
        ...
    @property
    def sync_with_dataloader(self) -> bool:
        """
        Whether the last batch of a loader ends the sum.
        """
    @sync_with_dataloader.setter
    def sync_with_dataloader(self, arg1: bool) -> None:
        ...
    @property
    def valid_samples(self) -> int:
        """
        Of the innermost loader; -1 outside of one.
        """
class ProcessGroup:
    """
    The processes that exchange tensors.
    """
    @staticmethod
    def from_c10d(group: torch.distributed.distributed_c10d.ProcessGroup, timeout: datetime.timedelta) -> ProcessGroup:
        """
        The processes of a group of torch.distributed. Collective.
        """
    def __init__(self) -> None:
        """
        A group of this process alone.
        """
    def shutdown(self) -> None:
        """
        Leaves the group; nothing can be exchanged after it.
        """
    @property
    def debug(self) -> bool:
        """
        Whether every exchange is compared before it begins. All processes set it at the same place.
        """
    @debug.setter
    def debug(self, arg1: bool) -> None:
        ...
    @property
    def global_rank(self) -> int:
        """
        Index of this process, from 0.
        """
    @property
    def is_broken(self) -> bool:
        """
        Whether a collective has failed; no other one works after it.
        """
    @property
    def timeout(self) -> datetime.timedelta:
        """
        Longest wait for the others in a collective.
        """
    @property
    def world_size(self) -> int:
        """
        Number of processes.
        """
class Reduction:
    """
    How the tensors of all processes become one.
    
    Members:
    
      sum
    
      mean
    
      max
    """
    __members__: typing.ClassVar[dict[str, Reduction]]
    max: typing.ClassVar[Reduction]
    mean: typing.ClassVar[Reduction]
    sum: typing.ClassVar[Reduction]
    def __eq__(self, other: typing.Any) -> bool:
        ...
    def __getstate__(self) -> int:
        ...
    def __hash__(self) -> int:
        ...
    def __index__(self) -> int:
        ...
    def __init__(self, value: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __int__(self) -> int:
        ...
    def __ne__(self, other: typing.Any) -> bool:
        ...
    def __repr__(self) -> str:
        ...
    def __setstate__(self, state: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __str__(self) -> str:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def value(self) -> int:
        ...
class Trigger:
    """
    A flag that any process raises for all.
    """
    def __init__(self) -> None:
        """
        Lowered.
        """
    def check(self, group: ProcessGroup) -> bool:
        """
        Whether any is raised; if so lowers all of them. Collective.
        """
    def set(self) -> None:
        """
        Raises the flag of this process.
        """
class CommHook:
    """
    How gradients are compressed.
    
    Members:
    
      no
    
      fp16
    
      bf16
    
      power_sgd
    
      batched_power_sgd
    """
    __members__: typing.ClassVar[dict[str, CommHook]]
    batched_power_sgd: typing.ClassVar[CommHook]
    bf16: typing.ClassVar[CommHook]
    fp16: typing.ClassVar[CommHook]
    no: typing.ClassVar[CommHook]
    power_sgd: typing.ClassVar[CommHook]
    def __eq__(self, other: typing.Any) -> bool:
        ...
    def __getstate__(self) -> int:
        ...
    def __hash__(self) -> int:
        ...
    def __index__(self) -> int:
        ...
    def __init__(self, value: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __int__(self) -> int:
        ...
    def __ne__(self, other: typing.Any) -> bool:
        ...
    def __repr__(self) -> str:
        ...
    def __setstate__(self, state: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __str__(self) -> str:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def value(self) -> int:
        ...
class PowerSgdOptions:
    """
    Settings of PowerSGD.
    """
    def __init__(self) -> None:
        """
        The defaults of torch.
        """
    @property
    def batch_tensors_with_same_shape(self) -> bool:
        """
        Work on equally large matrices at once.
        """
    @batch_tensors_with_same_shape.setter
    def batch_tensors_with_same_shape(self, arg0: bool) -> None:
        ...
    @property
    def compression_stats_logging_frequency(self) -> int:
        """
        Iterations between two lines in the log.
        """
    @compression_stats_logging_frequency.setter
    def compression_stats_logging_frequency(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def matrix_approximation_rank(self) -> int:
        """
        Columns of the two thin matrices.
        """
    @matrix_approximation_rank.setter
    def matrix_approximation_rank(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def min_compression_rate(self) -> float:
        """
        A matrix that would not become smaller by this factor travels as it is.
        """
    @min_compression_rate.setter
    def min_compression_rate(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def orthogonalization_epsilon(self) -> float:
        """
        Added to the length of a column before dividing by it.
        """
    @orthogonalization_epsilon.setter
    def orthogonalization_epsilon(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def random_seed(self) -> int:
        """
        Of the random matrices.
        """
    @random_seed.setter
    def random_seed(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def start_powerSGD_iter(self) -> int:
        """
        Iterations of plain exchange before the first compressed one.
        """
    @start_powerSGD_iter.setter
    def start_powerSGD_iter(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def use_error_feedback(self) -> bool:
        """
        What compression dropped is added to the next gradients.
        """
    @use_error_feedback.setter
    def use_error_feedback(self, arg0: bool) -> None:
        ...
    @property
    def warm_start(self) -> bool:
        """
        Start from the thin matrices of the last iteration.
        """
    @warm_start.setter
    def warm_start(self, arg0: bool) -> None:
        ...
class DistributedDataParallelOptions:
    """
    How gradients are exchanged between processes.
    """
    def __init__(self) -> None:
        """
        The engine's defaults.
        """
    def validate(self) -> None:
        """
        Raises ConfigError for values out of range.
        """
    @property
    def broadcast_buffers(self) -> bool:
        """
        Before a forward that trains, buffers become those of process 0.
        """
    @broadcast_buffers.setter
    def broadcast_buffers(self, arg0: bool) -> None:
        ...
    @property
    def bucket_cap_mb(self) -> float:
        """
        Size of the pieces in which gradients travel, in MiB.
        """
    @bucket_cap_mb.setter
    def bucket_cap_mb(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def comm_hook(self) -> CommHook:
        """
        How gradients are compressed.
        """
    @comm_hook.setter
    def comm_hook(self, arg0: CommHook) -> None:
        ...
    @property
    def comm_wrapper(self) -> CommHook:
        """
        The smaller dtype in which PowerSGD works.
        """
    @comm_wrapper.setter
    def comm_wrapper(self, arg0: CommHook) -> None:
        ...
    @property
    def find_unused_parameters(self) -> bool:
        """
        Some parameters may take no part in a step.
        """
    @find_unused_parameters.setter
    def find_unused_parameters(self, arg0: bool) -> None:
        ...
    @property
    def gradient_as_bucket_view(self) -> bool:
        """
        Gradients live inside the pieces.
        """
    @gradient_as_bucket_view.setter
    def gradient_as_bucket_view(self, arg0: bool) -> None:
        ...
    @property
    def init_sync(self) -> bool:
        """
        Compare the model at start, and make it that of process 0.
        """
    @init_sync.setter
    def init_sync(self, arg0: bool) -> None:
        ...
    @property
    def power_sgd(self) -> PowerSgdOptions:
        """
        Settings of PowerSGD.
        """
    @power_sgd.setter
    def power_sgd(self, arg0: PowerSgdOptions) -> None:
        ...
    @property
    def static_graph(self) -> bool:
        """
        The same parameters take part in every step.
        """
    @static_graph.setter
    def static_graph(self, arg0: bool) -> None:
        ...
class RoundShard:
    """
    The rule of one round, for data whose end is not known before it comes.
    """
    def __init__(self, *, batch_size: typing.SupportsInt | typing.SupportsIndex, drop_last: bool, rank: typing.SupportsInt | typing.SupportsIndex, world_size: typing.SupportsInt | typing.SupportsIndex, even_batches: bool, split_batches: bool, dispatch_batches: bool) -> None:
        """
        The share of process `rank`. Not collective.
        """
    def slots(self, num_in_round: typing.SupportsInt | typing.SupportsIndex) -> tuple[int, int, int]:
        """
        First slot, size, and samples that are not repetitions, of this process's batch of a round.
        """
    @property
    def round_size(self) -> int:
        """
        Samples that all processes take at once.
        """
class BatchShard:
    """
    The rules by which batches are shared out.
    """
    def __init__(self, *, num_samples: typing.SupportsInt | typing.SupportsIndex, batch_size: typing.SupportsInt | typing.SupportsIndex, drop_last: bool, rank: typing.SupportsInt | typing.SupportsIndex, world_size: typing.SupportsInt | typing.SupportsIndex, even_batches: bool, split_batches: bool) -> None:
        """
        The share of process `rank`. Not collective.
        """
    def num_real(self, index: typing.SupportsInt | typing.SupportsIndex) -> int:
        """
        How many samples of one batch are not repetitions.
        """
    def positions(self, index: typing.SupportsInt | typing.SupportsIndex) -> list[int]:
        """
        The samples of one batch, by their position in the epoch.
        """
    @property
    def num_batches(self) -> int:
        """
        Batches of this process.
        """
    @property
    def remainder(self) -> int:
        """
        Samples of the last round when they do not fill it, 0 when they do, -1 with drop_last.
        """
    @property
    def total_batch_size(self) -> int:
        """
        Samples that all processes take at once.
        """
class StepGuard:
    """
    May forbid a step of an optimiser.
    """
class StepGuards:
    """
    The guards of one Accelerator.
    """
    def __init__(self) -> None:
        """
        Without guards.
        """
    def add(self, guard: StepGuard) -> None:
        """
        From now on `guard` is asked too, after the others. All processes add it.
        """
class StepGate:
    """
    Whether one optimiser steps, and its schedules.
    """
    def __init__(self, gradients: GradientState, guards: StepGuards) -> None:
        """
        Of an optimiser that is made now. Not collective.
        """
    def after_zero_grad(self) -> None:
        """
        Call it when gradients were cleared.
        """
    def may_step(self, parameters: collections.abc.Sequence[torch.Tensor]) -> bool:
        """
        Whether to step now. Collective when there are guards.
        """
    @property
    def asks_guards(self) -> bool:
        """
        Whether may_step() looks at parameters now.
        """
    @property
    def optimizer(self) -> int:
        """
        Number of the optimiser among those of the guards.
        """
    @property
    def step_was_skipped(self) -> bool:
        """
        Whether a guard forbade the last step that was due.
        """
class AutocastContext:
    """
    Context of one precision, used once.
    """
    def __enter__(self) -> None:
        ...
    def __exit__(self, *args) -> None:
        ...
class Autocast:
    """
    What a precision asks of libtorch's autocast.
    """
    def __init__(self, precision: str, device: str, enabled: bool = True, cache_enabled: bool | None = None) -> None:
        """
        Of one precision on one type of device; nothing for 'no'.
        """
    def guard(self) -> AutocastContext:
        """
        A context in which operations compute in the precision.
        """
class GradScaler(StepGuard):
    """
    Scales losses, and leaves out bad steps.
    """
    def __init__(self, group: ProcessGroup, *, init_scale: typing.SupportsFloat | typing.SupportsIndex, growth_factor: typing.SupportsFloat | typing.SupportsIndex, backoff_factor: typing.SupportsFloat | typing.SupportsIndex, growth_interval: typing.SupportsInt | typing.SupportsIndex, enabled: bool) -> None:
        """
        The processes of `group` leave out the same steps. Not collective.
        """
    def load_state(self, *, scale: typing.SupportsFloat | typing.SupportsIndex, growth_factor: typing.SupportsFloat | typing.SupportsIndex, backoff_factor: typing.SupportsFloat | typing.SupportsIndex, growth_interval: typing.SupportsInt | typing.SupportsIndex, _growth_tracker: typing.SupportsInt | typing.SupportsIndex) -> None:
        """
        Goes on from what state() gave.
        """
    def scale(self, loss: torch.Tensor) -> torch.Tensor:
        """
        The loss times the scale. Not collective.
        """
    def state(self) -> dict:
        """
        What it remembers, with torch's names.
        """
    def unscale(self, optimizer: typing.SupportsInt | typing.SupportsIndex, parameters: collections.abc.Sequence[torch.Tensor]) -> None:
        """
        Divides the gradients of an optimiser once. Not collective.
        """
    def unscale_when_complete(self, state: GradientState, gradients: collections.abc.Sequence[tuple[typing.SupportsInt | typing.SupportsIndex, collections.abc.Sequence[torch.Tensor]]]) -> float:
        """
        Divides gradients that are complete; gives the scale they have after it. Not collective.
        """
    def update(self) -> None:
        """
        Ends an iteration.
        """
    @property
    def current_scale(self) -> float:
        """
        What losses are multiplied with.
        """
    @current_scale.setter
    def current_scale(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def is_enabled(self) -> bool:
        """
        Whether it does anything.
        """
    @property
    def state_at_last_update(self) -> dict:
        """
        The state without the steps since the last update.
        """
class NoSync:
    """
    Context in which gradients of a model stay local.
    """
    def __enter__(self) -> None:
        ...
    def __exit__(self, *args) -> None:
        ...
class ModelCore:
    """
    The tensors of a model, surrounding each forward.
    """
    def __init__(self, parameters: collections.abc.Sequence[tuple[str, torch.Tensor]], buffers: collections.abc.Sequence[tuple[str, torch.Tensor]], group: ProcessGroup, options: DistributedDataParallelOptions) -> None:
        """
        Makes the model that of process 0, as far as `options` say. Collective.
        """
    def after_forward(self, outputs: collections.abc.Sequence[torch.Tensor]) -> None:
        """
        Readies the exchange for the backward that follows.
        """
    def arm_next_backward(self) -> None:
        """
        Readies the exchange for the next backward, though forwards were under no_sync. Collective the first time.
        """
    def before_forward(self) -> None:
        """
        Call it before each forward. Collective when there are buffers to share.
        """
    def no_sync(self) -> NoSync:
        """
        Context in which gradients of the model stay local and add up.
        """
    def owns_parameter(self, tensor: torch.Tensor) -> bool:
        """
        Whether this is a parameter of the model.
        """
    def register_comm_hook(self, state: typing.Any, hook: typing.Any) -> None:
        """
        Lets `hook(state, bucket)` exchange the gradients. Not collective.
        """
    @property
    def is_active(self) -> bool:
        """
        Whether there are gradients to exchange and someone to do it with.
        """
    @property
    def is_armed(self) -> bool:
        """
        Whether the next backward exchanges gradients.
        """
    @property
    def needs_outputs(self) -> bool:
        """
        Whether after_forward() looks at the tensors it is given.
        """
class Accumulate:
    """
    Context of one batch whose gradients add up.
    """
    def __enter__(self) -> None:
        ...
    def __exit__(self, *args) -> None:
        ...
    def __init__(self, state: GradientState, models: collections.abc.Sequence[ModelCore], prepared: collections.abc.Sequence[ModelCore]) -> None:
        ...
class Join:
    """
    Context in which processes may train for unequal numbers of batches.
    """
    def __enter__(self) -> None:
        ...
    def __exit__(self, arg0: typing.Any, *args) -> None:
        ...
    def __init__(self, group: ProcessGroup, models: collections.abc.Sequence[ModelCore]) -> None:
        ...
class LocalSGD:
    """
    Processes that train on their own for some steps.
    """
    def __init__(self, group: ProcessGroup, model: ModelCore, local_sgd_steps: typing.SupportsInt | typing.SupportsIndex, enabled: bool) -> None:
        ...
    def finish(self) -> None:
        """
        Averages once more and ends. Collective.
        """
    def step(self) -> None:
        """
        Averages the parameters when it is time. Collective then.
        """
    @property
    def num_steps(self) -> int:
        """
        Calls of step() so far.
        """
class Models:
    """
    The prepared models, as guards see them.
    """
    def __init__(self) -> None:
        """
        None yet.
        """
    def append(self, core: ModelCore) -> None:
        """
        One more.
        """
    def clear(self) -> None:
        """
        Forgets all.
        """
class GradientGuard(StepGuard):
    """
    Looks for gradients that are not finite.
    """
    def __init__(self, group: ProcessGroup, models: Models, action: str) -> None:
        """
        `action` is 'warn', 'skip' or 'raise'.
        """
    def note_norm(self, parameters: collections.abc.Sequence[torch.Tensor], norm: torch.Tensor) -> None:
        """
        The norm over the gradients of `parameters` is known.
        """
class ParameterCheck(StepGuard):
    """
    Compares the parameters of all processes.
    """
    def __init__(self, group: ProcessGroup, models: Models, every: typing.SupportsInt | typing.SupportsIndex) -> None:
        """
        Before one of `every` steps.
        """
class BatchSizeSearch:
    """
    Context in which processes look for a batch size that fits all.
    """
    @staticmethod
    def frees_this_process(message: str) -> bool:
        """
        Whether a DistributedOperationException of this text says that another process ran out of memory.
        """
    def __enter__(self) -> BatchSizeSearch:
        ...
    def __exit__(self, *args) -> None:
        ...
    def __init__(self, group: ProcessGroup) -> None:
        ...
    def finish_try(self, batch_size: typing.SupportsInt | typing.SupportsIndex, ran_out: bool) -> bool:
        """
        Whether any process ran out of memory. Collective.
        """
def backward(group: ProcessGroup, state: GradientState, loss: torch.Tensor | None, models: collections.abc.Sequence[ModelCore], gradient: torch.Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: collections.abc.Sequence[torch.Tensor] = [], scaler: GradScaler | None = None, num_items: typing.SupportsInt | typing.SupportsIndex | None = None) -> None:
    """
    Gradients of a loss into the parameters, averaged over the processes. Collective unless gradients add up.
    """
def barrier(group: ProcessGroup) -> None:
    """
    Waits until every process is here. Collective.
    """
def broadcast(group: ProcessGroup, tensors: collections.abc.Sequence[torch.Tensor], from_rank: typing.SupportsInt | typing.SupportsIndex) -> list[torch.Tensor]:
    """
    The tensors of one process, as new tensors. Collective.
    """
def broadcast_bytes(group: ProcessGroup, mine: bytes, from_rank: typing.SupportsInt | typing.SupportsIndex) -> bytes:
    """
    The bytes of process `from_rank`. Collective.
    """
def check_precision(precision: str, device: str) -> None:
    """
    Raises when the device does not compute in the precision. Not collective.
    """
def clip_grad_norm(parameters: collections.abc.Sequence[torch.Tensor], max_norm: typing.SupportsFloat | typing.SupportsIndex, norm_type: typing.SupportsFloat | typing.SupportsIndex, gradient_scale: typing.SupportsFloat | typing.SupportsIndex = 1.0) -> torch.Tensor:
    """
    Scales gradients to a norm of at most `max_norm`; gives the norm before. Not collective.
    """
def clip_grad_value(parameters: collections.abc.Sequence[torch.Tensor], clip_value: typing.SupportsFloat | typing.SupportsIndex) -> None:
    """
    Limits gradients to [-clip_value, clip_value]. Not collective.
    """
def gather(group: ProcessGroup, tensors: collections.abc.Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """
    Each tensor of all processes, concatenated on dimension 0. Collective.
    """
def gather_bytes(group: ProcessGroup, mine: bytes) -> list[bytes]:
    """
    The bytes of every process, in their order. Collective.
    """
def gather_valid_rows(group: ProcessGroup, state: GradientState, tensors: collections.abc.Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """
    Rows of all processes without repeated samples. Collective.
    """
def initialize_process_state(cpu: bool = False) -> ProcessState:
    """
    Finds the place of this process; the same again at later calls. Not collective.
    """
def open_store(state: ProcessState, timeout: datetime.timedelta) -> torch.distributed.distributed_c10d.Store:
    """
    The store of this job, in which its processes find each other. Collective.
    """
def pad_across_processes(group: ProcessGroup, tensors: collections.abc.Sequence[torch.Tensor], dim: typing.SupportsInt | typing.SupportsIndex, pad_index: typing.SupportsFloat | typing.SupportsIndex, pad_first: bool) -> list[torch.Tensor]:
    """
    Each tensor padded to the largest size of any process. Collective.
    """
def peak_memory() -> tuple[int, int | None]:
    """
    Most main memory of this process, and most memory in tensors on its accelerator, in bytes.
    """
def reduce(group: ProcessGroup, tensors: collections.abc.Sequence[torch.Tensor], reduction: Reduction) -> list[torch.Tensor]:
    """
    Each tensor combined over the processes, as new tensors. Collective.
    """
def reset_peak_memory() -> bool:
    """
    Begins anew from what is used now; False where main memory cannot.
    """
def reset_process_state() -> None:
    """
    Forgets the place of this process; for tests.
    """
def resolve_precision(asked: str | None) -> str:
    """
    The precision that was asked for, else that of the environment, else 'no'. Not collective.
    """
def run_in_order(group: ProcessGroup, goes_first: bool, work: collections.abc.Callable) -> None:
    """
    Calls `work`; the others wait for those that go first. Collective.
    """
def schedule_steps(*, world_size: typing.SupportsInt | typing.SupportsIndex, split_batches: bool, step_with_optimizer: bool, sync_gradients: bool, any_optimizer_skipped: bool) -> int:
    """
    How far a schedule moves in one step. Not collective.
    """
def share_of(group: ProcessGroup, size: typing.SupportsInt | typing.SupportsIndex, apply_padding: bool) -> tuple[int, int, int]:
    """
    Begin, end and padding of this process's part of a sequence.
    """
def valid_rows(state: GradientState, rows: typing.SupportsInt | typing.SupportsIndex) -> int:
    """
    How many of the rows of this process no other one has. Not collective.
    """
__version__: str
torch_version: str
