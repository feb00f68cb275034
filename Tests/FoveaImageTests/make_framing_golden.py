"""Writes Golden/framing.json: what Pillow makes of pictures that the tests make anew.

    python3 Tests/FoveaImageTests/make_framing_golden.py        needs Pillow and numpy

`crop` is torchvision's Resize and CenterCrop, done with Pillow's own `resize` and `crop`; `fit` is what `ImageOps.pad` does.
A picture is pixel(x, y, c) = (37 x + 59 y + 101 c + (x y) mod 97 + 13 (x xor y)) mod 256 in blocks of `grain` pixels.
Of each result the golden file has the size and the bytes, base64 of a PNG.
"""

import base64
import io
import json
import pathlib

import numpy
import PIL
from PIL import Image, ImageOps

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def picture(width, height, grain):
    y, x = numpy.mgrid[0:height, 0:width] // grain
    planes = [(37 * x + 59 * y + 101 * c + x * y % 97 + 13 * (x ^ y)) % 256 for c in range(3)]
    return Image.fromarray(numpy.stack(planes, axis=2).astype(numpy.uint8))


def resized(image, size, resample):
    """Columns first, rows second, as Pillow up to 12 does always. Since 13 `resize` takes the rows first where the height
    shrinks much more than the width, and bicubic then rounds and clips other values between the passes."""
    return image.resize((size[0], image.height), resample).resize(size, resample)


def crop(image, size, resize, resample):
    width, height = image.size
    if width <= height:
        scaled = (resize, resize * height // width)
    else:
        scaled = (resize * width // height, resize)
    left, top = (int(round((side - size) / 2)) for side in scaled)
    return resized(image, scaled, resample).crop((left, top, left + size, top + size))


def fit(image, size, resample, colour):
    inner = ImageOps.contain(image, (size, size), resample).size
    result = Image.new("RGB", (size, size), colour)
    result.paste(resized(image, inner, resample), tuple(round((size - side) / 2) for side in inner))
    return result


def encoded(image):
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def main():
    cases = []
    for width, height, grain in [(61, 40, 1), (40, 61, 3), (300, 260, 7), (333, 501, 2), (5, 90, 1), (20, 20, 4)]:
        image = picture(width, height, grain)
        for resample, number in FILTERS.items():
            for framing, size, made in [
                ("stretch", 32, resized(image, (32, 32), number)),
                ("crop 0.875", 28, crop(image, 28, 32, number)),
                ("crop 1.0", 45, crop(image, 45, 45, number)),
                ("fit 10,200,30", 33, fit(image, 33, number, (10, 200, 30))),
            ]:
                cases.append({
                    "picture": [width, height, grain], "framing": framing, "resample": resample, "size": size,
                    "pixels": encoded(made),
                })
    image = picture(640, 427, 9)
    cases.append({
        "picture": [640, 427, 9], "framing": "crop 0.875", "resample": "bicubic", "size": 224,
        "pixels": encoded(crop(image, 224, 256, FILTERS["bicubic"])),
    })
    path = pathlib.Path(__file__).parent / "Golden" / "framing.json"
    path.write_text(json.dumps({"pillow": PIL.__version__, "cases": cases}, indent=0) + "\n")


main()
