"""A plain PyTorch loop on one process; plain_loop_prepared.py is the same after the change of four lines.

    python examples/python/plain_loop.py

prints one line for each epoch, such as `epoch 0 loss 0.41`.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
device = torch.device("cpu")

points = torch.randn(1000, 20)
labels = (points[:, 0] * points[:, 1] > 0).long()
dataloader = DataLoader(TensorDataset(points, labels), batch_size=20, shuffle=True)

model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 2)).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=100, gamma=0.5)
loss_function = nn.CrossEntropyLoss()

for epoch in range(4):
    for inputs, targets in dataloader:
        inputs, targets = inputs.to(device), targets.to(device)
        optimizer.zero_grad()
        loss = loss_function(model(inputs), targets)
        loss.backward()
        optimizer.step()
        scheduler.step()
    print(f"epoch {epoch} loss {loss.item():.2f}")
