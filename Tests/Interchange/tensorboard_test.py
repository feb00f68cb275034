"""Trains a tiny network and reads its report back: the event file with TensorBoard itself, the pictures as PNG and XML.

    python Tests/Interchange/tensorboard_test.py FOLDER_WITH_FOVEA_TRAIN
"""

import json
import struct
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import numpy
from google.protobuf import text_format
from tensorboard import program
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2, graph_pb2

SIDE = 32
EPOCHS = 2
LABELS = ["it's <dark> & \"red\"", "light_green"]
PLOTS = ["calibration", "classes", "confusion", "curves", "learning-rate", "predictions"]
SCALARS = {
    "loss/training": lambda epoch: epoch["loss"],
    "loss/development": lambda epoch: epoch["development"]["loss"],
    "accuracy/training": lambda epoch: epoch["top1"],
    "accuracy/development": lambda epoch: epoch["development"]["top1"],
    "learning-rate": lambda epoch: epoch["learningRate"],
    "images-per-second": lambda epoch: epoch["imagesPerSecond"],
}
# images, then of each of 4 blocks: norm, convolution, pool, norm, ReLU, DropBlock; of the hidden layer: matmul, norm, ReLU,
# dropout; matmul, norm; probabilities.
NODES = 1 + 4 * 6 + 4 + 2 + 1


def png(pixels):
    """A PNG file of an array of height × width × 3 bytes."""
    height, width, _ = pixels.shape

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_size(data):
    """Width and height of a whole PNG file, with its chunks' sums checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, kinds = 8, []
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        body = data[place + 4 : place + 8 + length]
        (crc,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert zlib.crc32(body) == crc, "a chunk's CRC"
        kinds.append(body[:4])
        place += 12 + length
    assert kinds[0] == b"IHDR" and kinds[-1] == b"IEND"
    return struct.unpack(">II", data[16:24])


def make_data(folder):
    noise = numpy.random.default_rng(1)
    for label, level in zip(LABELS, [70, 180]):
        (folder / label).mkdir(parents=True)
        for number in range(40):
            pixels = noise.normal(level, 50, (SIDE, SIDE, 3)).clip(0, 255).astype(numpy.uint8)
            (folder / label / f"{number}.png").write_bytes(png(pixels))


def train(programs, root):
    """The folder `training/` of a new model."""
    make_data(root / "data")
    (root / "fovea.yaml").write_text(
        "".join(
            f"{key}: {root}/{value}\n"
            for key, value in {
                "inbox": "in", "outbox": "out", "corrections": "fix", "state": "var", "models": "none", "socket": "s",
            }.items()
        )
    )
    subprocess.run(
        [
            programs / "fovea-train", "train", "--arch", "vanilla", "--data", root / "data", "--name", "tiny", "--epochs",
            str(EPOCHS), "--set", "channels=8,8,8,8", "--set", "hidden=[16]", "--threads", "1", "--config", root / "fovea.yaml",
        ],
        check=True,
    )
    return root / "var/models/tiny/1/training"


def check_pictures(training):
    for name in PLOTS:
        width, height = png_size((training / f"{name}.png").read_bytes())
        assert 300 <= width <= 3000 and 150 <= height <= 3000, f"{name}.png is {width}×{height}"
        root = ElementTree.parse(training / f"{name}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag
        words = {"".join(text.itertext()).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")}
        if name in ("classes", "confusion"):
            assert set(LABELS) <= words, words


def check_graph(graph):
    assert len(graph.node) == NODES, f"{len(graph.node)} nodes instead of {NODES}"
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names)
    dangling = {source for node in graph.node for source in node.input} - set(names)
    assert not dangling, dangling
    assert [node.name for node in graph.node if not node.input] == ["images"]
    shapes = {
        node.name: [side.size for side in node.attr["_output_shapes"].list.shape[0].dim] for node in graph.node
    }
    assert shapes["images"] == [-1, SIDE, SIDE, 3]
    assert shapes["probabilities"] == [-1, 1, 1, len(LABELS)]
    convolution = next(node for node in graph.node if node.name == "block1/conv")
    assert convolution.op == "Conv2D" and convolution.attr["parameters"].i == 7 * 7 * 3 * 8
    assert [side.size for side in convolution.attr["weight"].shape.dim] == [7, 7, 3, 8]


def close(value, expected):
    """Equal as float32, in which TensorBoard keeps scalars."""
    return numpy.float32(value) == numpy.float32(expected)


def check_events(training, epochs):
    """By the reader that TensorBoard's own tools are made of."""
    (path,) = training.glob("events.out.tfevents.*")
    raw = [event_pb2.Event.FromString(record) for record in RawEventFileLoader(str(path)).Load()]
    assert raw[0].file_version == "brain.Event:2"
    times = [event.wall_time for event in raw]
    assert times == sorted(times) and abs(times[-1] - path.stat().st_mtime) < 600

    events = event_accumulator.EventAccumulator(str(training), size_guidance={event_accumulator.IMAGES: 0})
    events.Reload()
    assert set(events.Tags()["scalars"]) == set(SCALARS), events.Tags()
    for tag, figure in SCALARS.items():
        found = events.Scalars(tag)
        assert [event.step for event in found] == [epoch["epoch"] for epoch in epochs]
        assert all(close(event.value, figure(epoch)) for event, epoch in zip(found, epochs)), tag
    assert set(events.Tags()["images"]) == {"confusion", "predictions"}
    for tag in events.Tags()["images"]:
        (image,) = events.Images(tag)
        assert image.encoded_image_string == (training / f"{tag}.png").read_bytes()
        assert (image.width, image.height) == png_size(image.encoded_image_string)
    check_graph(events.Graph())


def check_server(training, epochs):
    """By TensorBoard's server, as a browser asks it."""
    board = program.TensorBoard()
    board.configure(argv=[None, "--logdir", str(training), "--port", "0", "--host", "127.0.0.1"])
    address = board.launch()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(plugin, route, **query):
        with direct.open(f"{address}data/plugin/{plugin}/{route}?{urllib.parse.urlencode(query)}", timeout=60) as answer:
            return answer.read()

    assert json.loads(ask("graphs", "info"))["."]["run_graph"] is True
    graph = ask("graphs", "graph", run=".", limit_attr_size=1024, large_attrs_key="_too_large_attrs")
    check_graph(text_format.Parse(graph.decode(), graph_pb2.GraphDef()))
    for tag, figure in SCALARS.items():
        points = json.loads(ask("scalars", "scalars", run=".", tag=tag))
        assert [step for _, step, _ in points] == [epoch["epoch"] for epoch in epochs]
        assert all(close(value, figure(epoch)) for (_, _, value), epoch in zip(points, epochs)), tag
    for tag in json.loads(ask("images", "tags"))["."]:
        (image,) = json.loads(ask("images", "images", run=".", tag=tag, sample=0))
        data = ask("images", "individualImage", **dict(urllib.parse.parse_qsl(image["query"])))
        assert data == (training / f"{tag}.png").read_bytes(), tag


def main(programs):
    with tempfile.TemporaryDirectory(prefix="fovea-tensorboard-") as folder:
        training = train(Path(programs).resolve(), Path(folder))
        epochs = [json.loads(line) for line in (training / "metrics.jsonl").read_text().splitlines()]
        assert len(epochs) == EPOCHS
        check_pictures(training)
        check_events(training, epochs)
        check_server(training, epochs)
    print("TensorBoard reads the event file; all pictures are whole")


if __name__ == "__main__":
    main(sys.argv[1])
