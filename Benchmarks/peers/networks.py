"""Fovea's networks written in PyTorch, layer for layer, so that both sides compute the same.

Each function returns a module that takes N x 3 x side x side and gives N x classes logits (`SIDES`, `CLASSES`). Random
parameters: only speed is measured here (that the results agree is the business of Tests/FoveaNNTests/Golden).
"""
import torch
import torch.nn.functional as F
from torch import nn


class Whole(nn.Module):
    """x + f(x), with an activation afterwards or none."""

    def __init__(self, branch, activation=None):
        super().__init__()
        self.branch = branch
        self.activation = activation or nn.Identity()

    def forward(self, x):
        return self.activation(x + self.branch(x))


class DropBlock(nn.Module):
    """Ghiasi et al. 2018, as the seed has it: squares of each channel are cleared, the rest is scaled up.

    With squares of a single pixel it is nn.Dropout, which is faster, and which Fovea has there as well.
    """

    def __init__(self, keep, block):
        super().__init__()
        self.keep, self.block = keep, block

    def forward(self, x):
        if not self.training or self.keep >= 1:
            return x
        seeds = (torch.rand_like(x) < (1 - self.keep) / self.block**2).to(x.dtype)
        gone = F.max_pool2d(seeds, self.block, 1, self.block // 2)
        mask = 1 - gone
        return x * mask * (mask.numel() / mask.sum())


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.003)


def fully_connected(inputs, hidden, classes):
    layers = [nn.Flatten()]
    for width in hidden:
        layers += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.5)]
        inputs = width
    return layers + [nn.Linear(inputs, classes, bias=False), nn.BatchNorm1d(classes)]


def vanilla(classes=100, depthwise=False):
    layers, inputs = [], 3
    for index, (channels, kernel) in enumerate(zip((64, 128, 256, 512), (7, 5, 3, 3))):
        layers.append(nn.BatchNorm2d(inputs, affine=index > 0))
        if depthwise and index > 0:
            layers += [
                nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, bias=False, groups=inputs),
                nn.Conv2d(inputs, channels, 1, bias=False),
            ]
        else:
            layers.append(nn.Conv2d(inputs, channels, kernel, padding=kernel // 2, bias=False))
        layers += [nn.MaxPool2d(2), norm(channels), nn.ReLU(), nn.Dropout(0.15)]
        inputs = channels
    return nn.Sequential(*layers, *fully_connected(2048, (2048, 2048), classes))


def depthwise(classes=100):
    return vanilla(classes, depthwise=True)


def resnet(classes=100):
    def half(inputs, channels, first=False):
        start = [nn.BatchNorm2d(inputs, affine=False)] if first else [norm(inputs), nn.ReLU()]
        return start + [
            nn.Conv2d(inputs, channels, 3, padding=1, bias=False),
            norm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        ]

    layers, inputs = [], 3
    for channels in (128, 256, 512, 1024):
        layers += half(inputs, channels, first=inputs == 3) + [nn.ReLU()]
        layers.append(Whole(nn.Sequential(*half(channels, channels)), nn.ReLU()))
        layers += [DropBlock(0.9, 5), nn.MaxPool2d(3, 2, padding=1)]
        inputs = channels
    return nn.Sequential(*layers, *fully_connected(4096, (4096, 4096), classes))


class MaxMean(nn.Module):
    def forward(self, x):
        return x.amax((2, 3)) + x.mean((2, 3))


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def foveanet(classes=100):
    def conv(inputs, outputs, kernel):
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2 if kernel % 2 else 0, bias=False)

    stem = nn.Conv2d(3, 24, 2)
    stem.weight.requires_grad = False
    layers, inputs = [stem, nn.SiLU()], 24
    for width, middle, kernel, pair in (
        (64, 64, 3, (1, 1)), (256, 192, 3, (3, 1)), (768, 512, 2, (3, 3)),
    ):
        layers += [conv(inputs, width, kernel), nn.MaxPool2d(2), norm(width), nn.SiLU()]
        layers.append(
            Whole(
                nn.Sequential(
                    conv(width, middle, pair[0]), norm(middle), nn.SiLU(),
                    conv(middle, width, pair[1]), norm(width), nn.SiLU(),
                )
            )
        )
        inputs = width
    return nn.Sequential(*layers, MaxMean(), nn.Linear(768, classes, bias=False), Times(1.25 / 9))


def resnet9(classes=100):
    """Page 2019, "How to train your ResNet": 379 million multiplications for an image."""

    def conv(inputs, outputs, pool=False):
        layers = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), norm(outputs), nn.ReLU()]
        return nn.Sequential(*layers, nn.MaxPool2d(2)) if pool else nn.Sequential(*layers)

    return nn.Sequential(
        conv(3, 64), conv(64, 128, pool=True), Whole(nn.Sequential(conv(128, 128), conv(128, 128))),
        conv(128, 256, pool=True), conv(256, 512, pool=True), Whole(nn.Sequential(conv(512, 512), conv(512, 512))),
        nn.MaxPool2d(4), nn.Flatten(), nn.Linear(512, classes),
    )


class Same(nn.Module):
    """A convolution with TensorFlow's SAME: with stride 2 an even side has its zeros on the right and at the bottom."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1, side=0):
        super().__init__()
        whole = max(0, ((side + stride - 1) // stride - 1) * stride + kernel - side)
        self.pads = [whole // 2, whole - whole // 2]
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x):
        return self.convolution(F.pad(x, self.pads * 2))


class Joined(nn.Module):
    """shortcut(x) + branch(x), then an activation."""

    def __init__(self, shortcut, branch):
        super().__init__()
        self.shortcut, self.branch, self.activation = shortcut, branch, nn.ReLU()

    def forward(self, x):
        return self.activation(self.shortcut(x) + self.branch(x))


def resnet18(classes=1000):
    """He et al. 2015, as torchvision has it."""

    def conv(inputs, outputs, kernel, stride=1):
        return [nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False), norm(outputs)]

    layers, inputs = conv(3, 64, 7, 2) + [nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)], 64
    for channels in (64, 128, 256, 512):
        for block in range(2):
            stride = 2 if block == 0 and channels > 64 else 1
            branch = conv(inputs, channels, 3, stride) + [nn.ReLU()] + conv(channels, channels, 3)
            shortcut = conv(inputs, channels, 1, stride) if stride > 1 else []
            layers.append(Joined(nn.Sequential(*shortcut), nn.Sequential(*branch)))
            inputs = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


def efficientnet_lite0(classes=1000):
    """Tan & Le 2019, in the Lite form."""
    side = SIDES["efficientnet-lite0"]

    def conv(inputs, outputs, kernel, stride=1, groups=1, active=True):
        nonlocal side
        layers = [Same(inputs, outputs, kernel, stride, groups, side), nn.BatchNorm2d(outputs, eps=1e-3)]
        side = (side + stride - 1) // stride
        return layers + ([nn.ReLU6()] if active else [])

    layers, inputs = conv(3, 32, 3, 2), 32
    for expansion, channels, blocks, kernel, first in (
        (1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1), (6, 192, 4, 5, 2),
        (6, 320, 1, 3, 1),
    ):
        for block in range(blocks):
            wide, stride = inputs * expansion, first if block == 0 else 1
            branch = conv(inputs, wide, 1) if expansion > 1 else []
            branch += conv(wide, wide, kernel, stride, groups=wide) + conv(wide, channels, 1, active=False)
            layers += [Whole(nn.Sequential(*branch))] if stride == 1 and inputs == channels else branch
            inputs = channels
    layers += conv(inputs, 1280, 1) + [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(1280, classes))


NETWORKS = {f.__name__: f for f in (vanilla, depthwise, resnet, foveanet, resnet9, resnet18)}
NETWORKS["efficientnet-lite0"] = efficientnet_lite0
# Those for photographs; the others take 32 pixels and know 100 classes.
SIDES = {"resnet18": 224, "efficientnet-lite0": 224}
CLASSES = {"resnet18": 1000, "efficientnet-lite0": 1000}
