"""The handle around an optimiser."""

import torch

from .errors import ConfigError
from .state import GradientState


class AcceleratedOptimizer(torch.optim.Optimizer):
    """Steps and clears gradients only when gradients have been exchanged (see `Accelerator.accumulate`).

    Everything else is the user's optimiser.

    Args:
        optimizer (`torch.optim.Optimizer`): the user's optimiser.
        check (callable, *optional*): called once, before the first step, with the optimiser's parameters; raises when
            their gradients are not exchanged.
    """

    def __init__(self, optimizer, device_placement=True, scaler=None, check=None):
        if scaler is not None:
            raise ConfigError("[optim] gradient scalers are not supported yet")
        self.optimizer = optimizer
        self.gradient_state = GradientState()
        self.device_placement = device_placement
        self._state = self.gradient_state._native
        self._check = check

    @property
    def state(self):
        return self.optimizer.state

    @state.setter
    def state(self, state):
        self.optimizer.state = state

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, param_groups):
        self.optimizer.param_groups = param_groups

    @property
    def defaults(self):
        return self.optimizer.defaults

    @defaults.setter
    def defaults(self, defaults):
        self.optimizer.defaults = defaults

    def add_param_group(self, param_group):
        self.optimizer.add_param_group(param_group)

    def state_dict(self):
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict):
        self.optimizer.load_state_dict(state_dict)

    def zero_grad(self, set_to_none=None):
        """Clears all gradients when they have been exchanged; does nothing while they add up."""
        if self._state.sync_gradients:
            self.optimizer.zero_grad(set_to_none=True if set_to_none is None else set_to_none)

    def step(self, closure=None):
        """Steps when gradients have been exchanged; does nothing while they add up.

        Raises:
            ConfigError: at the first step of a job of several processes, when a parameter that has a gradient belongs
                to no prepared model.
        """
        if self._check is not None:
            self._check(self)
            self._check = None
        if self._state.sync_gradients:
            return self.optimizer.step() if closure is None else self.optimizer.step(closure)
        return None

    def train(self):
        """Tells a schedule-free optimiser that training goes on."""
        if callable(getattr(self.optimizer, "train", None)):
            self.optimizer.train()

    def eval(self):
        """Tells a schedule-free optimiser that the weights are evaluated."""
        if callable(getattr(self.optimizer, "eval", None)):
            self.optimizer.eval()

    @property
    def step_was_skipped(self):
        """Whether the last step was skipped because a gradient was not finite: never without a gradient scaler."""
        return False

    def __getattr__(self, name):
        if name == "optimizer":  # while unpickling
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def __reduce_ex__(self, protocol):
        """Copies and pickles carry the user's optimiser."""
        return AcceleratedOptimizer, (self.optimizer, self.device_placement)

    def __repr__(self):
        return f"AcceleratedOptimizer({self.optimizer!r})"
