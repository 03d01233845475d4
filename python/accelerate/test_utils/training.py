"""The smallest task that trains: a line through noisy points."""

import torch


class RegressionDataset:
    """Points near the line y = `a`·x + `b`. Each sample is a dict of two float32 scalars, 'x' and 'y'.

    Args:
        a, b (`float`): the line.
        length (`int`): number of points.
        seed (`int`, *optional*): of the points; None draws others every time, and others on every process.
    """

    def __init__(self, a: float = 2, b: float = 3, length: int = 64, seed: int | None = None) -> None:
        stream = torch.Generator()
        if seed is None:
            stream.seed()
        else:
            stream.manual_seed(seed)
        self.length = length
        self.x = torch.randn(length, generator=stream)
        self.y = a * self.x + b + 0.1 * torch.randn(length, generator=stream)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        return {"x": self.x[i], "y": self.y[i]}


class RegressionModel(torch.nn.Module):
    """A line with two parameters, `a` and `b`.

    Args:
        a, b (`float`): where they start.
        double_output (`bool`): kept for scripts; changes nothing.
    """

    def __init__(self, a: float = 0, b: float = 0, double_output: bool = False) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(float(a)))
        self.b = torch.nn.Parameter(torch.tensor(float(b)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`a`·x + `b`, of the shape of `x`."""
        return x * self.a + self.b
