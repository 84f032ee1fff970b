"""A plain PyTorch training. The three lines marked `added` keep its predictions as a run, and compare it."""

import sys

import numpy as np
import torch
from torch import nn

import mnist_core as mc  # added

data = np.load(sys.argv[1])  # an .npz of MNIST's form
x_train, y_train = torch.tensor(data["x_train"] / 255, dtype=torch.float32), torch.tensor(data["y_train"]).long()
x_test = torch.tensor(data["x_test"] / 255, dtype=torch.float32)

torch.manual_seed(1)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters())
for _ in range(3):
    for batch in torch.randperm(len(x_train)).split(128):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x_train[batch]), y_train[batch]).backward()
        optimizer.step()
with torch.no_grad():
    probabilities = model(x_test).softmax(dim=1).numpy()
run = mc.record("pytorch example", probabilities=probabilities, images=x_test.numpy())  # added
print(mc.compare(run, "notebook/model_1"))  # added
