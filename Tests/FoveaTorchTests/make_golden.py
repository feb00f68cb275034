"""Writes Golden/small.pth, a state dictionary in PyTorch's legacy format, and Golden/small.txt with what is in it.

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python make_golden.py
"""

import pathlib

import torch

folder = pathlib.Path(__file__).parent / "Golden"


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, (2, 1), bias=False)
        self.norm = torch.nn.BatchNorm2d(4)
        self.fc = torch.nn.Linear(4, 2)


model = Small()
with torch.no_grad():
    # As converters from other frameworks leave filters: a transposed view of H x W x I x O.
    filters = torch.arange(24, dtype=torch.float32).reshape(2, 1, 3, 4) / 8 - 1
    model.conv.weight = torch.nn.Parameter(filters.permute(3, 2, 0, 1))
    for index, name in enumerate(["weight", "bias", "running_mean", "running_var"]):
        getattr(model.norm, name).copy_(torch.arange(4) / 4 + index)
    model.norm.num_batches_tracked.fill_(7)
    model.fc.weight.copy_(torch.arange(8).reshape(2, 4) / 16)
    model.fc.bias.copy_(torch.tensor([0.5, -0.5]))

torch.save(model.state_dict(), folder / "small.pth", _use_new_zipfile_serialization=False)
with open(folder / "small.txt", "w") as file:
    for name, tensor in model.state_dict().items():
        values = " ".join(repr(value) for value in tensor.flatten().tolist())
        shape = "x".join(str(extent) for extent in tensor.shape)
        print(name, str(tensor.dtype).removeprefix("torch."), shape or "scalar", values, sep="|", file=file)
