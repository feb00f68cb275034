"""One contestant: a framework, a network, a job. It prints "ready", and then, for each "go SECONDS" on its standard
input, does its job for about so long and prints images a second. fovea-bench has the same manners (`contestant`).

    contestant.py torch train resnet 250
    contestant.py onnxruntime infer resnet9 64
"""
import os
import sys
import tempfile
import time

framework, job, name, batch = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
CORES = len(os.sched_getaffinity(0))

import numpy as np
import torch

from networks import CLASSES, NETWORKS, SIDES

SIDE, COUNT = SIDES.get(name, 32), CLASSES.get(name, 100)

torch.manual_seed(1)
torch.set_num_threads(CORES)


def torch_step(fused):
    """A step of training or of inference in PyTorch, channels_last; Adam in one kernel or in several."""
    network = NETWORKS[name]().to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    if job == "infer":
        network.eval()

        def infer():
            with torch.inference_mode():
                network(images)

        return infer
    labels = torch.arange(batch) % COUNT
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-4, fused=fused)
    network.train()

    def train():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(images), labels, label_smoothing=0.1).backward()
        optimizer.step()

    return train


def export(path):
    """The network in inference as ONNX, written node by node: the exporters of PyTorch need packages of their own."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes, weights = [], []

    def constant(value):
        title = f"w{len(weights)}"
        weights.append(numpy_helper.from_array(value.detach().numpy(), title))
        return title

    def node(kind, inputs, **attributes):
        title = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [title], **attributes))
        return title

    def convolution(module, x, pads):
        inputs = [x, constant(module.weight)] + ([constant(module.bias)] if module.bias is not None else [])
        return node("Conv", inputs, pads=pads, group=module.groups, kernel_shape=list(module.kernel_size),
                    strides=list(module.stride))

    def follow(module, x):
        nn = torch.nn
        kind = type(module).__name__
        if isinstance(module, nn.Sequential):
            for part in module:
                x = follow(part, x)
            return x
        if kind == "Joined":
            return follow(module.activation, node("Add", [follow(module.shortcut, x), follow(module.branch, x)]))
        if kind == "Same":
            return convolution(module.convolution, x, [module.pads[0]] * 2 + [module.pads[1]] * 2)
        if kind == "Whole":
            return follow(module.activation, node("Add", [x, follow(module.branch, x)]))
        if isinstance(module, nn.Conv2d):
            return convolution(module, x, [*module.padding, *module.padding])
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            one = torch.ones(module.num_features)
            scale = one if module.weight is None else module.weight
            shift = 0 * one if module.bias is None else module.bias
            return node("BatchNormalization", [x] + [constant(v) for v in (
                scale, shift, module.running_mean, module.running_var)], epsilon=module.eps)
        if isinstance(module, nn.ReLU6):
            return node("Clip", [x, constant(torch.tensor(0.0)), constant(torch.tensor(6.0))])
        if isinstance(module, nn.AdaptiveAvgPool2d):
            return node("GlobalAveragePool", [x])
        if isinstance(module, nn.ReLU):
            return node("Relu", [x])
        if isinstance(module, nn.SiLU):
            return node("Mul", [x, node("Sigmoid", [x])])
        if isinstance(module, nn.MaxPool2d):
            size, stride, pad = module.kernel_size, module.stride, module.padding
            return node("MaxPool", [x], kernel_shape=[size] * 2, strides=[stride] * 2, pads=[pad] * 4)
        if isinstance(module, nn.Flatten):
            return node("Flatten", [x])
        if isinstance(module, nn.Linear):
            bias = [constant(module.bias)] if module.bias is not None else []
            return node("Gemm", [x, constant(module.weight)] + bias, transB=1)
        if kind == "MaxMean":
            return node("Flatten", [node("Add", [node("GlobalMaxPool", [x]), node("GlobalAveragePool", [x])])])
        if kind == "Times":
            return node("Mul", [x, constant(torch.tensor(module.factor))])
        if kind in ("Dropout", "DropBlock", "Identity"):
            return x
        raise SystemExit(f"contestant.py: no ONNX for {kind}")

    last = follow(NETWORKS[name]().eval(), "images")
    nodes[-1].output[0] = "logits"
    assert last == f"v{len(nodes) - 1}"
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, COUNT])], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def exported_step():
    """A step of inference in ONNX Runtime or OpenVINO, both with all their optimisations, in float32."""
    images = np.random.default_rng(1).standard_normal((batch, 3, SIDE, SIDE), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"{name}.onnx")
        export(path)
        if framework == "onnxruntime":
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            options.intra_op_num_threads = CORES
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            return lambda: session.run(None, {"images": images})
        import openvino

        compiled = openvino.Core().compile_model(path, "CPU", {
            "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": CORES,
            "PERFORMANCE_HINT": "LATENCY"})
        request = compiled.create_infer_request()
        return lambda: request.infer([images], share_inputs=True)


def rate(step, seconds):
    done, start = 0, time.perf_counter()
    while True:
        step()
        done += batch
        passed = time.perf_counter() - start
        if passed >= seconds:
            return done / passed


if framework == "torch":
    # What is fastest here.
    trials = []
    for threads in {1, CORES}:
        for fused in (False, True) if job == "train" else (False,):
            torch.set_num_threads(threads)
            step = torch_step(fused)
            step()
            trials.append((rate(step, 0.5), threads, step))
    _, threads, step = max(trials, key=lambda trial: trial[0])
    torch.set_num_threads(threads)
    trials.clear()
else:
    step = exported_step()
step()
print("ready", flush=True)
for line in sys.stdin:
    print(rate(step, float(line.split()[1])), flush=True)
