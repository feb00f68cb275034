"""Whether ONNX Runtime gives with an exported model what Fovea gives with the model itself, to within 1e-4.

    make interchange                                     installs onnx and onnxruntime and runs this
    python3 Tests/Interchange/onnx_test.py BIN [ONLY]    BIN is the folder of the built programs; ONLY is part of a case's name

Each case trains a tiny network on pictures made here, exports it, lets onnx's checker look at it, and compares all scores:
those of the golden set, and those that `fovea-train evaluate` writes, in batches of 1 and of 7. The bundled model is the
last case. Needs numpy, onnx and onnxruntime; no data set and no network.
"""
import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-4
LABELS = ["blue", "green", "grey", "red", "yellow"]
COLOURS = np.array([[60, 60, 190], [60, 190, 60], [120, 120, 120], [190, 60, 60], [190, 190, 60]])
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


class Wrong(Exception):
    """What a case found."""


# Pictures and data sets


def pictures(count, side, seed):
    """count x side x side x 3, uint8: an area in a class's colour on noise, so that a filter finds edges. And the classes."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % len(LABELS)
    images = random.integers(0, 256, (count, side, side, 3))
    for image, label in zip(images, labels):
        top, left = random.integers(0, side // 2, 2)
        height, width = random.integers(side // 3, side, 2)
        area = image[top : top + height, left : left + width]
        area[:] = COLOURS[label] + random.integers(-50, 51, area.shape)
    return np.clip(images, 0, 255).astype(np.uint8), labels


def png(image):
    """An image as PNG, without filters."""
    height, width, _ = image.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write_folders(folder, images, labels, names=LABELS):
    """A folder per class; gives each image by the name that `evaluate` calls it."""
    by_name = {}
    for index, (image, label) in enumerate(zip(images, labels)):
        path = folder / names[label] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
        by_name[f"{names[label]}/{index}.png"] = image
    return by_name


def write_cifar(folder, seed):
    """CIFAR-100's binary layout with superclasses of 40 labels, of 3 and of 4; gives the test images by name."""
    folder.mkdir()
    for name, count in [("fine", 100), ("coarse", 20)]:
        (folder / f"{name}_label_names.txt").write_text("".join(f"{name}{i}\n" for i in range(count)))
    for split, rounds in [("train", 3), ("test", 1)]:
        images, _ = pictures(100 * rounds, 32, seed + rounds)
        with open(folder / f"{split}.bin", "wb") as file:
            for index, image in enumerate(images):
                label = index % 100
                file.write(bytes([0 if label < 40 else 1 + label % 19, label]) + image.transpose(2, 0, 1).tobytes())
    return {f"{index:05}": image for index, image in enumerate(images)}


# Files of a model


def read_safetensors(path):
    """Tensors by their names, and the metadata."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    kinds = {"U8": np.uint8, "F32": np.float32}
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def write_golden(path, images, scores):
    parts = {"scores": (scores.astype(np.float32), "F32"), "input": (images, "U8")}
    header, data = {"__metadata__": {"tolerance": "0.001"}}, b""
    for name, (array, kind) in parts.items():
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def seal(folder):
    """A manifest for what is there."""
    files = {}
    for name in ["config.json", "golden.safetensors", "model.safetensors"]:
        data = (folder / name).read_bytes()
        files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps({"schema": "fovea.manifest/1", "files": files}))


# The programs


class Fovea:
    """The built programs, with a state folder of their own."""

    def __init__(self, programs, root):
        self.programs, self.root = programs, root
        self.configuration = root / "fovea.yaml"
        places = {"state": "var", "models": "none", "inbox": "in", "outbox": "out", "corrections": "fix", "socket": "s"}
        self.configuration.write_text("".join(f"{key}: {root / place}\n" for key, place in places.items()))

    def run(self, program, *words):
        command = [str(word) for word in (self.programs / program, *words, "--config", self.configuration, "--quiet")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Wrong(f"{' '.join(command)}\nended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def import_data(self, name, folder, side):
        self.run("foveactl", "dataset", "import", folder, "--name", name, "--size", side)

    def train(self, name, data, *words):
        """A model's folder."""
        self.run(
            "fovea-train", "train", "--data", data, "--name", name, "--epochs", 2, "--batch", 16, "--threads", 1,
            "--development", 0, "--augment", "none", *words)
        return self.root / "var/models" / name / "1"

    def evaluate(self, model, data):
        """By image, the scores of the five best labels."""
        file = self.root / "scores.jsonl"
        self.run("fovea-train", "evaluate", model, "--data", data, "--scores", file)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        return {line["image"]: {best["label"]: best["confidence"] for best in line["top"]} for line in lines}

    def with_chain(self, model, name, filters):
        """A copy of a model of LABELS with other filters before its normalizer, with the golden set that belongs to it."""
        folder = self.root / name
        shutil.copytree(model, folder)
        configuration = json.loads((folder / "config.json").read_text())
        configuration["name"] = name
        configuration["chain"] = [{"plugin": "sharpen", "parameters": each} for each in filters] + [
            stage for stage in configuration["chain"] if stage["plugin"] != "sharpen"
        ]
        (folder / "config.json").write_text(json.dumps(configuration))
        seal(folder)
        images = read_safetensors(model / "golden.safetensors")[0]["input"]
        data = self.root / f"{name}-golden"
        by_name = write_folders(data, images, [0] * len(images))
        scores = self.evaluate(folder, data)
        rows = [[scores[image][label] for label in configuration["labels"]] for image in by_name]
        write_golden(folder / "golden.safetensors", images, np.array(rows))
        seal(folder)
        return folder


# The comparison


def compare(fovea, model, data, by_name):
    """The largest difference between any two scores.

    by_name: the images of `data` at the model's size, as `evaluate` calls them.
    """
    configuration = json.loads((model / "config.json").read_text())
    labels = configuration["labels"]
    file = fovea.root / "model.onnx"
    file.unlink(missing_ok=True)
    fovea.run("foveactl", "model", "export", model, "--format", "onnx", "--output", file)
    onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    check_description(session, model, configuration)

    def scores(images, batch):
        parts = [images[i : i + batch] for i in range(0, len(images), batch)]
        return np.concatenate([session.run(None, {"images": part})[0] for part in parts])

    golden, metadata = read_safetensors(model / "golden.safetensors")
    expected = fovea.evaluate(model, data)
    images = np.stack([by_name[name] for name in expected])
    difference = 0.0
    for batch in (1, 7):
        answers = scores(golden["input"], batch)
        difference = max(difference, float(np.abs(answers - golden["scores"]).max()))
        answers = scores(images, batch)
        for answer, row in zip(answers, expected.values()):
            for label, confidence in row.items():
                difference = max(difference, abs(float(answer[labels.index(label)]) - confidence))
        if not np.isfinite(answers).all():
            raise Wrong("scores are not all numbers")
    spread = float((answers.max(axis=0) - answers.min(axis=0)).max())
    if spread < 0.02:
        raise Wrong(f"all images have nearly the same scores (they differ by {spread:.2g}): this case proves nothing")
    return difference


def check_description(session, model, configuration):
    """What the file says of itself."""
    (images,), (probabilities,) = session.get_inputs(), session.get_outputs()
    size, labels = configuration["input"], configuration["labels"]
    told = (images.name, images.type, images.shape, probabilities.name, probabilities.type, probabilities.shape)
    wanted = (
        "images", "tensor(uint8)", ["batch", size["height"], size["width"], 3],
        "probabilities", "tensor(float)", ["batch", len(labels)])
    metadata = session.get_modelmeta().custom_metadata_map
    digest = hashlib.sha256((model / "manifest.json").read_bytes()).hexdigest()
    known = {"name": configuration["name"], "version": configuration["version"], "sha256": digest}
    if told != wanted or json.loads(metadata["labels"]) != labels or any(metadata[k] != v for k, v in known.items()):
        raise Wrong(f"the file describes itself as {told} with {metadata}; wanted {wanted} with {known}")


# The cases: options of `fovea-train train` beside the architecture, and the images' side.

SMALL = {
    "vanilla": ["channels=8,12,16,16", "hidden=[24]", "bnMomentum=0.9"],
    "depthwise": ["channels=8,12,16,16", "hidden=[24]", "bnMomentum=0.9"],
    "resnet": ["channels=8,12,16,16", "hidden=[24]", "bnMomentum=0.9"],
    "resnet9": ["channels=8,12,16,16"],
    "foveanet": ["widths=12,16,24", "middles=8,16,16", "scale=1"],
    "resnet18": ["stem=8", "channels=8,12,16", "blocks=1,2,1"],
    "efficientnet-lite0": ["stem=8", "head=24", "channels=8,8,12,16", "blocks=1,2,1,1", "kernels=3,5,3,5",
                           "strides=1,2,2,1", "expansions=1,2,3,2"],
}
CASES = [
    ("vanilla", 32, []),
    ("vanilla", 21, ["--no-sharpen", "--set", "activation=gelu", "--weights", "f32", "--temperature", 0.5]),
    ("vanilla", 32, ["--tta", "flip", "--set", "activation=silu"]),
    ("vanilla", 16, ["--set", "channels=[8]", "--set", "kernels=[4]", "--set", "hidden=24,16"]),
    ("depthwise", 32, []),
    ("depthwise", 19, ["--no-sharpen", "--tta", "shift", "--temperature", 0.3]),
    ("resnet", 32, []),
    ("resnet", 23, ["--no-sharpen", "--set", "reluOnPixels=true", "--set", "activation=gelu"]),
    ("resnet", 1, ["--set", "channels=8,8", "--tta", "shift"]),
    ("resnet9", 32, []),
    ("resnet9", 48, ["--no-sharpen", "--tta", "flip", "--set", "activation=silu", "--temperature", 2]),
    ("resnet18", 32, []),
    ("resnet18", 37, ["--no-sharpen", "--tta", "flip", "--set", "activation=hard-swish"]),
    ("efficientnet-lite0", 32, []),
    ("efficientnet-lite0", 45, ["--no-sharpen", "--tta", "shift", "--temperature", 0.7]),
    ("foveanet", 32, []),
    ("foveanet", 37, ["--no-sharpen", "--tta", "shift", "--set", "activation=gelu"]),
    ("foveanet", 32, ["--preset", "fast", "--optimizer", "adam", "--sizes", "none"]),
]


def mask(blur):
    """The image twice, less a blurred one."""
    side = len(blur)
    blur = -blur / blur.sum()
    blur[side // 2, side // 2] += 2
    return blur.tolist()


# Parameters of sharpen: other amounts, two after one another, filters whose sums are exact and others.
FILTERS = {
    "amount": [{"amount": 0.37}],
    "amounts": [{"amount": 2.5}, {"amount": 0}],
    "kernel": [{"kernel": [[0, -0.5, 0], [-0.5, 3, -0.5], [0, -0.5, 0]]}],
    "kernel inexact": [{"kernel": [[0.1, -0.3, 0.1], [-0.35, 2.1, -0.35], [0, -0.3, 0]]}],
    "kernel large": [{"kernel": mask(np.outer(np.hanning(15), np.hanning(15)))}],
    "kernel wider than the image": [{"kernel": mask(np.ones((31, 31)))}],
}


def cases(fovea):
    """Name and comparison, one after the other; a comparison is made when it is called."""
    sets = {}

    def data(side):
        if side not in sets:
            images, labels = pictures(60, side, seed=side) if side > 1 else flat(60)
            folder = fovea.root / f"data{side}"
            by_name = write_folders(folder, images, labels)
            fovea.import_data(f"shades{side}", folder, side)
            sets[side] = (folder, by_name)
        return sets[side]

    def trained(name, architecture, side, words):
        data(side)
        settings = [word for setting in SMALL[architecture] for word in ("--set", setting)]
        return fovea.train(
            name, f"shades{side}", "--arch", architecture, *settings, "--learning-rate", 0.005, *words)

    for number, (architecture, side, words) in enumerate(CASES):
        name = f"{architecture} of {side} pixels {' '.join(map(str, words))}"
        yield name, lambda: compare(fovea, trained(f"case{number}", architecture, side, words), *data(side))

    def filtered(name, side, filters):
        base = fovea.root / "var/models" / f"base{side}" / "1"
        if not base.exists():
            trained(f"base{side}", "vanilla", side, ["--set", "channels=8,8", "--set", "kernels=3,3"])
        return fovea.with_chain(base, name.replace(" ", "-"), filters)

    for name, filters in FILTERS.items():
        side = 8 if "wider" in name else 32
        yield f"sharpen {name}", lambda: compare(fovea, filtered(name, side, filters), *data(side))

    def hierarchical():
        folder = fovea.root / "superclasses"
        by_name = write_cifar(folder, seed=9)
        settings = [word for setting in SMALL["foveanet"] for word in ("--set", setting)]
        words = ["--arch", "foveanet", "--hierarchy", "softmax", "--tta", "flip", "--temperature", 0.4]
        return compare(fovea, fovea.train("hierarchical", folder, *settings, *words), folder, by_name)

    yield "superclasses of different sizes", hierarchical

    def bundled():
        images, labels = pictures(40, 32, seed=77)
        folder = fovea.root / "bundled"
        model = REPOSITORY / "models/cifar100/1"
        names = json.loads((model / "config.json").read_text())["labels"]
        return compare(fovea, model, folder, write_folders(folder, images, labels, names))

    yield "the bundled model", bundled


def flat(count):
    """Images of one pixel."""
    labels = np.arange(count) % len(LABELS)
    noise = np.random.default_rng(3).integers(-40, 41, (count, 3))
    return (COLOURS[labels] + noise).astype(np.uint8)[:, None, None, :], labels


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    programs, only = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) == 3 else ""
    wrong = done = 0
    with tempfile.TemporaryDirectory(prefix="fovea-onnx-") as root:
        for name, comparison in cases(Fovea(programs, pathlib.Path(root))):
            if only not in name:
                continue
            done += 1
            try:
                difference = comparison()
                verdict = "" if difference <= TOLERANCE else f"WRONG: more than {TOLERANCE:.0e} apart"
                print(f"{difference:8.1e}  {name}  {verdict}".rstrip(), flush=True)
                wrong += difference > TOLERANCE
            except Exception as error:  # onnx and onnxruntime have many, and no common one
                print(f"   WRONG  {name}: {type(error).__name__}: {error}", flush=True)
                wrong += 1
    versions = f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}"
    if wrong or not done:
        raise SystemExit(f"onnx_test: {wrong} of {done} cases are wrong ({versions})")
    print(f"{done} models, all scores within {TOLERANCE:.0e} of Fovea's ({versions})")


if __name__ == "__main__":
    main()
