"""Golden values for FoveaNNTests, computed with PyTorch; writes Golden/*.json. Not needed to run the tests.

    python3 make_golden.py        (needs torch; any recent version, CPU)

Tensors are written as the engine keeps them: images N,H,W,C; filters k,k,in,out; matrices in,out.
Dropout has none: its masks are the engine's own. What it does with them is checked by finite differences.
"""
import json, math, pathlib
import torch
import torch.nn.functional as F

here = pathlib.Path(__file__).parent / "Golden"
torch.manual_seed(1)


def flat(t):
    return [float(f"{v:.8g}") for v in t.detach().double().flatten().tolist()]


def nhwc(t):
    return flat(t.permute(0, 2, 3, 1).contiguous())


def hwio(t):
    return flat(t.permute(2, 3, 1, 0).contiguous())


def write(name, value):
    (here / f"{name}.json").write_text(json.dumps(value, separators=(",", ":")) + "\n")


def leaf(*shape, scale=1.0):
    return (torch.randn(*shape, dtype=torch.float64) * scale).requires_grad_()


# Convolution with bias
x, w, b = leaf(2, 3, 5, 6), leaf(4, 3, 3, 3), leaf(4)
y = F.conv2d(x, w, b, padding="same")
dy = torch.randn_like(y)
y.backward(dy)
write("convolution", dict(x=nhwc(x), weight=hwio(w), bias=flat(b), y=nhwc(y), dy=nhwc(dy), dx=nhwc(x.grad),
                          dweight=hwio(w.grad), dbias=flat(b.grad)))

# Batch norm on images, momentum 0.997 in our sense
x, g, b = leaf(3, 5, 4, 2), leaf(5), leaf(5)
mean, variance = torch.randn(5, dtype=torch.float64), torch.rand(5, dtype=torch.float64) + 0.5
old_mean, old_variance = mean.clone(), variance.clone()
z = F.batch_norm(x, mean.clone(), variance.clone(), g, b, training=False, eps=1e-5)
y = F.batch_norm(x, mean, variance, g, b, training=True, momentum=0.003, eps=1e-5)
dy = torch.randn_like(y)
y.backward(dy)
write("batchnorm", dict(x=nhwc(x), scale=flat(g), shift=flat(b), mean=flat(old_mean), variance=flat(old_variance),
                        y=nhwc(y), inference=nhwc(z), newMean=flat(mean), newVariance=flat(variance), dy=nhwc(dy),
                        dx=nhwc(x.grad), dscale=flat(g.grad), dshift=flat(b.grad)))

# Maximum pooling
x = leaf(2, 3, 4, 6)
y = F.max_pool2d(x, 2)
dy = torch.randn_like(y)
y.backward(dy)
write("maxpool", dict(x=nhwc(x), y=nhwc(y), dy=nhwc(dy), dx=nhwc(x.grad)))

# Fully connected
x, w, b = leaf(5, 7), leaf(7, 4), leaf(4)
y = x @ w + b
dy = torch.randn_like(y)
y.backward(dy)
write("linear", dict(x=flat(x), weight=flat(w), bias=flat(b), y=flat(y), dy=flat(dy), dx=flat(x.grad),
                     dweight=flat(w.grad), dbias=flat(b.grad)))

# A small vanilla network without dropout: loss, gradients, three steps of AdamW with clipping, probabilities
sizes = dict(channels=[4, 6], kernels=[5, 3], hidden=[10], classes=5, side=8, batch=6)
x = torch.randn(6, 3, 8, 8, dtype=torch.float64)
labels = torch.tensor([0, 1, 2, 3, 4, 1])
p, buffers = {}, {}


def norm(name, t, affine=True, eps=1e-5):
    c = t.shape[1]
    buffers.setdefault(f"{name}.mean", torch.zeros(c, dtype=torch.float64))
    buffers.setdefault(f"{name}.variance", torch.ones(c, dtype=torch.float64))
    if affine and f"{name}.scale" not in p:
        p[f"{name}.scale"] = (1 + 0.2 * torch.randn(c, dtype=torch.float64)).requires_grad_()
        p[f"{name}.shift"] = leaf(c, scale=0.2)
    return F.batch_norm(t, buffers[f"{name}.mean"], buffers[f"{name}.variance"], p.get(f"{name}.scale"),
                        p.get(f"{name}.shift"), training=training, momentum=1 - momentum, eps=eps)


def network(t):
    for i, (c, k) in enumerate(zip(sizes["channels"], sizes["kernels"])):
        name = f"block{i + 1}"
        t = norm(f"{name}.norm1", t, affine=i > 0)
        if f"{name}.conv.weight" not in p:
            p[f"{name}.conv.weight"] = leaf(c, t.shape[1], k, k, scale=0.2)
        t = F.max_pool2d(F.conv2d(t, p[f"{name}.conv.weight"], padding="same"), 2)
        t = F.relu(norm(f"{name}.norm2", t))
    t = t.permute(0, 2, 3, 1).flatten(1)
    for name, n in [("hidden1", 10), ("logits", 5)]:
        if f"{name}.linear.weight" not in p:
            p[f"{name}.linear.weight"] = leaf(t.shape[1], n, scale=0.2)
        t = norm(f"{name}.norm", t @ p[f"{name}.linear.weight"])
        if name == "hidden1":
            t = F.relu(t)
    return t


def named(tensors):
    return {n: hwio(t) if t.dim() == 4 else flat(t) for n, t in tensors.items()}


training, step = True, 0
momentum = 0.0
network(x)  # creates the parameters
for name in buffers:
    buffers[name] = torch.zeros_like(buffers[name]) if name.endswith("mean") else torch.ones_like(buffers[name])
start = named(p)
decay = [t for n, t in p.items() if n.endswith("weight")]
rest = [t for n, t in p.items() if not n.endswith("weight")]
adam = torch.optim.AdamW([dict(params=decay, weight_decay=0.05), dict(params=rest, weight_decay=0.0)], lr=0.01)
losses, norms, gradients = [], [], None
for step in range(3):
    momentum = min(0.997, (1 + step) / (10 + step))
    adam.zero_grad()
    loss = F.cross_entropy(network(x), labels, label_smoothing=0.1)
    loss.backward()
    gradients = gradients or named({n: t.grad for n, t in p.items()})
    norms.append(float(torch.nn.utils.clip_grad_norm_(list(p.values()), 0.5)))
    for group in adam.param_groups:
        group["lr"] = 0.01 * (step + 1)
    adam.step()
    losses.append(float(loss.detach()))
training = False
probabilities = F.softmax(network(x), dim=1)
write("vanilla", dict(x=nhwc(x), labels=labels.tolist(), start=start, losses=losses, norms=norms, gradients=gradients,
                      end=named(p), buffers=named(buffers), probabilities=flat(probabilities)))

# Schedules: 40 steps, 10 an epoch, 5 of warm-up
q = [torch.zeros(1, requires_grad=True)]
cosine = torch.optim.lr_scheduler.CosineAnnealingLR(torch.optim.SGD(q, lr=1.0), T_max=35)
values = [(s + 1) / 5 for s in range(5)]
for s in range(35):
    values.append(cosine.get_last_lr()[0])
    cosine.optimizer.step()
    cosine.step()
write("schedules", dict(cosine=values, step=[(s + 1) / 5 if s < 5 else 0.9 ** (s // 10) for s in range(40)]))

# ReLU
x = leaf(2, 3, 3, 2)
y = F.relu(x)
dy = torch.randn_like(y)
y.backward(dy)
write("relu", dict(x=nhwc(x), y=nhwc(y), dy=nhwc(dy), dx=nhwc(x.grad)))

# Softmax cross-entropy with label smoothing: probabilities, losses and gradients of the rows; large logits as well
x = torch.randn(6, 9, dtype=torch.float64) * torch.tensor([1, 1, 5, 20, 80, 0]).double()[:, None]
x.requires_grad_()
labels = torch.tensor([0, 8, 3, 3, 5, 1])
result = dict(x=flat(x), labels=labels.tolist(), probabilities=flat(F.softmax(x, 1)))
for name, smoothing in [("plain", 0.0), ("smoothed", 0.1)]:
    losses = F.cross_entropy(x, labels, label_smoothing=smoothing, reduction="none")
    gradient, = torch.autograd.grad(losses.sum(), x)
    result[name] = dict(losses=flat(losses), dx=flat(gradient))
write("crossentropy", result)

# Smooth activations, far out as well
for name, f in [("silu", F.silu), ("gelu", lambda t: F.gelu(t, approximate="tanh"))]:
    x = torch.cat([torch.linspace(-12, 12, 37), torch.tensor([-120.0, -88.0, 88.0, 120.0])]).double().requires_grad_()
    y = f(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    write(name, dict(x=flat(x), y=flat(y), dy=flat(dy), dx=flat(x.grad)))

# Global maximum plus global mean
x = leaf(2, 70, 3, 4)
y = x.amax((2, 3)) + x.mean((2, 3))
dy = torch.randn_like(y)
y.backward(dy)
write("globalpool", dict(x=nhwc(x), y=flat(y), dy=flat(dy), dx=nhwc(x.grad)))

# An even kernel without padding
x, w, b = leaf(2, 3, 5, 6), leaf(4, 3, 2, 2), leaf(4)
y = F.conv2d(x, w, b)
dy = torch.randn_like(y)
y.backward(dy)
write("convolution2", dict(x=nhwc(x), weight=hwio(w), bias=flat(b), y=nhwc(y), dy=nhwc(dy), dx=nhwc(x.grad),
                           dweight=hwio(w.grad), dbias=flat(b.grad)))

# A small foveanet: loss, gradients, two steps of Muon with Nesterov's momentum for the rest, probabilities.
# Muon after Keller Jordan's description: momentum, five-term polynomial of the normalised matrix, filters of norm sqrt(O).
labels = torch.tensor([0, 1, 2, 3, 4, 1])
widths, middles, kernels, pairs = [6, 10], [4, 8], [3, 2], [[1, 3], [3, 3]]
x = torch.randn(6, 3, 10, 10, dtype=torch.float64)
p, buffers = {}, {}


def filters(name, i, o, k):
    if f"{name}.weight" not in p:
        p[f"{name}.weight"] = leaf(o, i, k, k, scale=0.3)
    return p[f"{name}.weight"]


def foveanet(t):
    if "stem.conv.bias" not in p:
        p["stem.conv.bias"] = leaf(8, scale=0.3)
    t = F.silu(F.conv2d(t, stem, p["stem.conv.bias"]))
    for g in range(2):
        name = f"group{g + 1}"
        pad = "same" if kernels[g] % 2 else "valid"
        t = F.conv2d(t, filters(f"{name}.conv", t.shape[1], widths[g], kernels[g]), padding=pad)
        t = F.silu(norm(f"{name}.norm", F.max_pool2d(t, 2)))
        b = t
        for part, channels, k in zip("ab", [middles[g], widths[g]], pairs[g]):
            b = F.conv2d(b, filters(f"{name}.{part}.conv", b.shape[1], channels, k), padding="same")
            b = F.silu(norm(f"{name}.{part}.norm", b))
        t = t + b
    t = t.amax((2, 3)) + t.mean((2, 3))
    if "head.linear.weight" not in p:
        p["head.linear.weight"] = leaf(10, 5, scale=0.3)
    return t @ p["head.linear.weight"] * 0.5


def orthogonal(g):
    a, b, c = 3.4445, -4.7750, 2.0315
    m = g / (g.norm() + 1e-7)
    if m.shape[0] > m.shape[1]:
        return orthogonal(g.T).T
    for _ in range(3):
        gram = m @ m.T
        m = a * m + (b * gram + c * gram @ gram) @ m
    return m


stem = torch.randn(8, 3, 2, 2, dtype=torch.float64) * 0.4
training, momentum = True, 0.0
foveanet(x)
for name in buffers:
    buffers[name] = torch.zeros_like(buffers[name]) if name.endswith("mean") else torch.ones_like(buffers[name])
start = named(p)
state = {n: torch.zeros_like(t) for n, t in p.items()}
losses, gradients = [], None
for step in range(2):
    momentum = min(0.9, (1 + step) / (10 + step))
    loss = F.cross_entropy(foveanet(x), labels, label_smoothing=0.25)
    grads = dict(zip(p, torch.autograd.grad(loss, list(p.values()))))
    gradients = gradients or named(grads)
    losses.append(float(loss.detach()))
    with torch.no_grad():
        for n, t in p.items():
            g, m = grads[n], state[n]
            if t.dim() == 4:
                m.mul_(0.6).add_(g)
                t.mul_(len(t) ** 0.5 / t.norm()).sub_(0.02 * orthogonal((g + 0.6 * m).flatten(1)).view_as(t))
            else:
                if t.dim() == 2:
                    g = g + 0.01 * t
                m.mul_(0.9).add_(g)
                t.sub_(0.1 * (g + 0.9 * m))
training = False
write("foveanet", dict(x=nhwc(x), labels=labels.tolist(), stem=hwio(stem), start=start, losses=losses,
                       gradients=gradients, end=named(p), buffers=named(buffers),
                       probabilities=flat(F.softmax(foveanet(x), dim=1))))

# Antialiased bilinear downsampling
x = torch.randn(2, 3, 13, 16, dtype=torch.float64)
write("downsampling", dict(x=nhwc(x), y=nhwc(F.interpolate(x, size=(9, 10), mode="bilinear", antialias=True))))


# The other networks, small: loss, gradients, two steps of SGD with Nesterov's momentum, running statistics, probabilities
def convolution(name, t, outputs, k):
    return F.conv2d(t, filters(f"{name}", t.shape[1], outputs, k), padding="same")


def matrix(name, t, n):
    if f"{name}.weight" not in p:
        p[f"{name}.weight"] = leaf(t.shape[1], n, scale=0.2)
    return t @ p[f"{name}.weight"]


def hidden(t, widths, classes):
    t = t.permute(0, 2, 3, 1).flatten(1)
    for i, width in enumerate(widths):
        t = F.relu(norm(f"hidden{i + 1}.norm", matrix(f"hidden{i + 1}.linear", t, width)))
    return norm("logits.norm", matrix("logits.linear", t, classes))


def depthwise(t):
    for i, (c, k) in enumerate([(4, 5), (6, 3)]):
        name = f"block{i + 1}"
        t = norm(f"{name}.norm1", t, affine=i > 0)
        if i == 0:
            t = convolution(f"{name}.conv", t, c, k)
        else:
            if f"{name}.depthwise.weight" not in p:
                p[f"{name}.depthwise.weight"] = leaf(t.shape[1], 1, k, k, scale=0.3)
            t = F.conv2d(t, p[f"{name}.depthwise.weight"], padding="same", groups=t.shape[1])
            t = convolution(f"{name}.pointwise", t, c, 1)
        t = F.relu(norm(f"{name}.norm2", F.max_pool2d(t, 2)))
    return hidden(t, [10], 5)


def resnet(t):
    def f(name, t, c, pixels=False):
        for part in (1, 2):
            first = pixels and part == 1
            t = norm(f"{name}.norm{part}", t, affine=not first)
            t = convolution(f"{name}.conv{part}", t if first else F.relu(t), c, 3)
        return t

    for i, c in enumerate([4, 6]):
        name = f"stage{i + 1}"
        h = F.relu(f(f"{name}.a", t, c, pixels=i == 0))
        t = F.relu(h + f(f"{name}.b", h, c))
        odd = t.shape[2] % 2  # TensorFlow's SAME
        t = F.max_pool2d(F.pad(t, (odd, 1, odd, 1), value=-1e9), 3, 2)
    return hidden(t, [10], 5)


def resnet9(t):
    def c(name, t, n):
        return F.relu(norm(f"{name}.norm", convolution(f"{name}.conv", t, n, 3)))

    t = c("prepare", t, 4)
    for i, n in enumerate([5, 6, 7]):
        name = f"layer{i + 1}"
        t = F.max_pool2d(c(name, t, n), 2)
        if i != 1:
            t = t + c(f"{name}.residual.b", c(f"{name}.residual.a", t, n), n)
    t = F.max_pool2d(t, 4).flatten(1)
    t = matrix("head.linear", t, 5)
    if "head.linear.bias" not in p:
        p["head.linear.bias"] = leaf(5, scale=0.2)
    return t + p["head.linear.bias"]


def tensors(values):
    """Depthwise filters, C x 1 x k x k, are k, k, C in the engine."""
    return {n: hwio(t) if t.dim() == 4 else flat(t) for n, t in values.items()}


def write_network(f, side, most):
    global p, buffers, training, momentum
    x = torch.randn(4, 3, side, side, dtype=torch.float64)
    labels = torch.tensor([0, 3, 2, 4])
    p, buffers = {}, {}
    training, momentum = True, 0.0
    f(x)
    for name in buffers:
        buffers[name] = torch.zeros_like(buffers[name]) if name.endswith("mean") else torch.ones_like(buffers[name])
    start = tensors(p)
    decay = [t for n, t in p.items() if n.endswith("weight")]
    rest = [t for n, t in p.items() if not n.endswith("weight")]
    sgd = torch.optim.SGD([dict(params=decay, weight_decay=0.01), dict(params=rest)], lr=0.02, momentum=0.9, nesterov=True)
    losses, gradients = [], None
    for step in range(2):
        momentum = min(most, (1 + step) / (10 + step))
        sgd.zero_grad()
        loss = F.cross_entropy(f(x), labels, label_smoothing=0.1)
        loss.backward()
        gradients = gradients or tensors({n: t.grad for n, t in p.items()})
        losses.append(float(loss.detach()))
        sgd.step()
    training = False
    write(f.__name__, dict(x=nhwc(x), labels=labels.tolist(), side=side, start=start, losses=losses, gradients=gradients,
                           end=tensors(p), buffers=named(buffers), probabilities=flat(F.softmax(f(x), dim=1))))


for f, side, most in [(depthwise, 8, 0.997), (resnet, 7, 0.997), (resnet9, 32, 0.9)]:
    write_network(f, side, most)

# One cycle: 40 steps, 5 of them up
cycle = torch.optim.lr_scheduler.OneCycleLR(
    torch.optim.SGD(q, lr=1.0), max_lr=1.0, total_steps=40, pct_start=6 / 40, anneal_strategy="cos")
values = []
for s in range(40):
    values.append(cycle.get_last_lr()[0])
    cycle.optimizer.step()
    cycle.step()
write("onecycle", dict(factors=values))

# Superclasses first: log-probabilities and their gradient
groups = torch.tensor([0, 1, 0, 2, 1, 1, 2])
x = (2 * torch.randn(3, 7, dtype=torch.float64)).requires_grad_()
y = torch.zeros_like(x)
u = torch.stack([x[:, groups == g].mean(1) for g in range(3)], 1).log_softmax(1)
parts = [(u[:, [g]] + x[:, groups == g].log_softmax(1), groups == g) for g in range(3)]
y = torch.stack([parts[g][0][:, int((groups[:i] == g).sum())] for i, g in enumerate(groups.tolist())], 1)
dy = torch.randn_like(y)
y.backward(dy)
write("superclasses", dict(x=flat(x), groups=groups.tolist(), y=flat(y), dy=flat(dy), dx=flat(x.grad)))


# Stride 2: TensorFlow's SAME, on an even and an odd side, and PyTorch's own padding; each channel by itself as well
def tensorflow(t, w, stride, groups=1):
    """SAME: of an odd number of zeros the map has one more after it."""
    pads = []
    for length in (t.shape[3], t.shape[2]):
        whole = max(0, ((length + stride - 1) // stride - 1) * stride + w.shape[2] - length)
        pads += [whole // 2, whole - whole // 2]
    return F.conv2d(F.pad(t, pads), w, stride=stride, groups=groups)


strided = {}
for name, kernel, groups in [("same", 3, 1), ("same5", 5, 1), ("symmetric", 3, 1), ("symmetric7", 7, 1), ("depthwise", 3, 3),
                             ("depthwise5", 5, 3), ("depthwiseSymmetric", 3, 3)]:
    x, w = leaf(2, 3, 6, 7), leaf(3 if groups > 1 else 4, 3 // groups, kernel, kernel)
    y = (F.conv2d(x, w, stride=2, padding=kernel // 2, groups=groups) if "ymmetric" in name
         else tensorflow(x, w, 2, groups))
    dy = torch.randn_like(y)
    y.backward(dy)
    strided[name] = dict(x=nhwc(x), weight=hwio(w), y=nhwc(y), dy=nhwc(dy), dx=nhwc(x.grad), dweight=hwio(w.grad))
write("strided", strided)

# Maximum of 3x3 with PyTorch's padding; means of windows and of the whole map
pools = {}
for name, f in [("maximum", lambda t: F.max_pool2d(t, 3, 2, padding=1)), ("mean", lambda t: F.avg_pool2d(t, 3, 2)),
                ("global", lambda t: t.mean((2, 3), keepdim=True))]:
    x = leaf(2, 3, 6, 7)
    y = f(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    pools[name] = dict(x=nhwc(x), y=nhwc(y), dy=nhwc(dy), dx=nhwc(x.grad))
write("pools", pools)

# Activations with corners
for name, f in [("relu6", F.relu6), ("hard-swish", F.hardswish)]:
    x = torch.linspace(-8.3, 8.3, 41).double().requires_grad_()
    y = f(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    write(name, dict(x=flat(x), y=flat(y), dy=flat(dy), dx=flat(x.grad)))

# Batch norm in training with the running statistics, ReLU6 behind it
x, g, b = leaf(3, 5, 4, 2), leaf(5), leaf(5)
mean, variance = torch.randn(5, dtype=torch.float64), torch.rand(5, dtype=torch.float64) + 0.5
y = F.relu6(F.batch_norm(x, mean, variance, g, b, training=False, eps=1e-5))
dy = torch.randn_like(y)
y.backward(dy)
write("frozennorm", dict(x=nhwc(x), scale=flat(g), shift=flat(b), mean=flat(mean), variance=flat(variance), y=nhwc(y),
                         dy=nhwc(dy), dx=nhwc(x.grad), dscale=flat(g.grad), dshift=flat(b.grad)))


# Networks for photographs, small
def resnet18(t):
    def part(name, t, c, k, stride):
        pad = k // 2
        return norm(f"{name[1]}", F.conv2d(t, filters(name[0], t.shape[1], c, k), stride=stride, padding=pad))

    t = F.relu(part(("stem.conv", "stem.norm"), t, 4, 7, 2))
    t = F.max_pool2d(t, 3, 2, padding=1)
    for layer, (c, blocks) in enumerate([(4, 1), (6, 2)]):
        for block in range(blocks):
            name = f"layer{layer + 1}.{block}"
            stride = 2 if layer > 0 and block == 0 else 1
            u = F.relu(part((f"{name}.conv1", f"{name}.norm1"), t, c, 3, stride))
            u = part((f"{name}.conv2", f"{name}.norm2"), u, c, 3, 1)
            if stride > 1:
                t = part((f"{name}.shortcut.conv", f"{name}.shortcut.norm"), t, c, 1, stride)
            t = F.relu(t + u)
    return classifier(t.mean((2, 3)))


def classifier(t):
    t = matrix("head.linear", t, 5)
    if "head.linear.bias" not in p:
        p["head.linear.bias"] = leaf(5, scale=0.2)
    return t + p["head.linear.bias"]


def efficientnet_lite0(t):
    def part(name, t, c, k, stride=1, active=True):
        t = norm(f"{name}.norm", tensorflow(t, filters(f"{name}.conv", t.shape[1], c, k), stride), eps=1e-3)
        return F.relu6(t) if active else t

    def depthwise(name, t, k, stride):
        if f"{name}.conv.weight" not in p:
            p[f"{name}.conv.weight"] = leaf(t.shape[1], 1, k, k, scale=0.5)
        return F.relu6(norm(f"{name}.norm", tensorflow(t, p[f"{name}.conv.weight"], stride, t.shape[1]), eps=1e-3))

    t = part("stem", t, 4, 3, 2)
    number = 0
    for channels, blocks, k, first, expansion in [(4, 1, 3, 1, 1), (6, 2, 5, 2, 2), (8, 1, 3, 2, 3)]:
        for block in range(blocks):
            name, stride = f"blocks.{number}", first if block == 0 else 1
            u = part(f"{name}.expand", t, t.shape[1] * expansion, 1) if expansion > 1 else t
            u = part(f"{name}.project", depthwise(f"{name}.depthwise", u, k, stride), channels, 1, active=False)
            t = t + u if stride == 1 and channels == t.shape[1] else u
            number += 1
    return classifier(part("head", t, 12, 1).mean((2, 3)))


efficientnet_lite0.__name__ = "efficientnet-lite0"
for f, side, most in [(resnet18, 18, 0.9), (efficientnet_lite0, 18, 0.99)]:
    write_network(f, side, most)
