"""plain_loop.py after the change of four lines (marked), for any number of processes.

    accelerate launch --cpu --num_processes 2 examples/python/plain_loop_prepared.py

prints one line for each epoch, such as `epoch 0 loss 0.41`.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from accelerate import Accelerator  # 1

torch.manual_seed(0)
accelerator = Accelerator()  # 2: knows the device

points = torch.randn(1000, 20)
labels = (points[:, 0] * points[:, 1] > 0).long()
dataloader = DataLoader(TensorDataset(points, labels), batch_size=20, shuffle=True)

model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=100, gamma=0.5)
loss_function = nn.CrossEntropyLoss()
model, optimizer, dataloader, scheduler = accelerator.prepare(model, optimizer, dataloader, scheduler)  # 3

for epoch in range(4):
    for inputs, targets in dataloader:
        optimizer.zero_grad()
        loss = loss_function(model(inputs), targets)
        accelerator.backward(loss)  # 4
        optimizer.step()
        scheduler.step()
    accelerator.print(f"epoch {epoch} loss {loss.item():.2f}")
