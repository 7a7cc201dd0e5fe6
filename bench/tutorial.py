"""The lab-11 network as a good PyTorch tutorial trains it: a Dataset that converts each photo, a DataLoader, float32, Adam.

Kinder than most tutorials: the photos are already decoded in memory, and the loss is read (a wait) only once at the end.
The DataLoader has its default of no workers: on 2 cores they would take time from the network.
"""

import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset[tuple[torch.Tensor, int]]):
    """Photos uint8 (N, 28, 28) and labels (N,); each photo becomes a float tensor (1, 28, 28) in 0..1 when asked for, as by ToTensor."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.images[index]).unsqueeze(0).float().div(255), int(self.labels[index])


def lab_11() -> nn.Sequential:
    """Three times convolution, ReLU, max pooling; fully connected 625; dropout; fully connected 10."""
    steps: list[nn.Module] = []
    for before, filters in ((1, 32), (32, 64), (64, 128)):
        steps += [nn.Conv2d(before, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
    steps += [nn.Flatten(), nn.Linear(128 * 4 * 4, 625), nn.ReLU(), nn.Dropout(0.3), nn.Linear(625, 10)]
    return nn.Sequential(*steps)


def train(images: np.ndarray, labels: np.ndarray, batch: int) -> float:
    """Train one epoch and return the images per second; building the network is not timed."""
    loader = DataLoader(Digits(images, labels), batch_size=batch, shuffle=True)
    network, criterion = lab_11().train(), nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    begun = time.perf_counter()
    for x, y in loader:
        optimiser.zero_grad()
        loss = criterion(network(x), y)
        loss.backward()
        optimiser.step()
    loss.item()
    return len(labels) / (time.perf_counter() - begun)
