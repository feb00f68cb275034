"""Golden values for BlurGoldenTests, the blurs of CIFAR-100-C; writes Golden/blurs.json. Not needed to run the tests.

    python3 make_blur_golden.py        (needs numpy and scipy; any recent version)

Written from the benchmark's script (hendrycks/robustness, ImageNet-C/create_c/make_cifar_c.py) and from the sources of
what that script calls, and not from Corruption.swift:

    skimage.filters.gaussian    scipy.ndimage.gaussian_filter, border repeated, cut off after four σ
    cv2.GaussianBlur            of 3×3, on the disk; its border is empty
    cv2.filter2D                correlation, border reflected without its own pixel
    Wand's motion_blur          MotionBlurImage of ImageMagick's effect.c; virtual pixels are the edge's
    scipy.ndimage.zoom          itself

What the original draws at random comes from Fovea's generator, through the algorithms of Swift's standard library as
of Swift 6.3. The values are those before the last step to bytes, in sixteenths, rounded down: three hexadecimal digits
each, height × width × 3 of them. The first two digits are the byte that the original writes, since it cuts fractions
off; so does ImageMagick 6.9 when it writes the PNG that the original asks it for.
"""
import json, math, pathlib
import numpy as np
from scipy import ndimage

side, seed = 32, 1
word = 1 << 64


# Fovea's generator, and what Swift makes of its words

class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % word
        return self.mixed(self.state)

    @staticmethod
    def mixed(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % word
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % word
        return z ^ (z >> 31)

    def below(self, bound):
        """RandomNumberGenerator.next(upperBound:): Lemire's multiplication with rejection."""
        product = self.next() * bound
        while product % word < (word - bound) % bound:
            product = self.next() * bound
        return product // word

    def integer(self, low, end):
        """Int.random(in: low..<end)"""
        return low + self.below(end - low)

    def number(self, low, high):
        """Double.random(in: low...high)"""
        return (high - low) * (self.below((1 << 53) + 1) / (1 << 53)) + low


def generator(index):
    return SplitMix64(SplitMix64.mixed(seed) ^ index)


# The image: waves, hard edges up to the border, and noise.

def picture():
    noise = SplitMix64(2024)
    image = np.zeros((side, side, 3), np.int64)
    for y in range(side):
        for x in range(side):
            for c in range(3):
                wave = 50 * math.sin(0.21 * x * (c + 1) + 0.13 * y) * math.cos(0.17 * y - 0.3 * c)
                edge = 35 if (x // 5 + y // 7 + c) % 2 else -35
                image[y, x, c] = round(128 + wave + edge) + noise.integer(-40, 41)
    # Glass cuts fractions off between its two blurs. Where a pixel is the mean of its neighbours there is nearly none,
    # and the last bit of a sum would decide, in the original as well: no such pixels here.
    while (mean := np.stack([ndimage.laplace(image[..., c], mode="nearest") == 0 for c in range(3)], axis=-1)).any():
        image[mean] += 1
    return image.astype(np.uint8)


# The blurs, of images from 0 to 1. Each gives what the original would turn into bytes, from 0 to 255.

def smooth(x, sigma):
    return ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="nearest", truncate=4)


def gaussian(image, severity, index):
    sigma = [0.4, 0.6, 0.7, 0.8, 1][severity - 1]
    return np.clip(smooth(image / 255, sigma), 0, 1) * 255


def defocus(image, severity, index):
    radius, alias = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)][severity - 1]
    y, x = np.mgrid[-8:9, -8:9]
    disk = (x * x + y * y <= radius * radius).astype(np.float32)
    disk /= disk.sum()
    bell = np.exp(-np.array([1, 0, 1]) / (2 * alias * alias))
    bell = (bell / bell.sum()).astype(np.float32)
    for axis in (0, 1):
        disk = ndimage.correlate1d(disk, bell, axis=axis, mode="mirror")
    x = np.stack([ndimage.correlate(image[..., c] / 255, disk.astype(float), mode="mirror") for c in range(3)], axis=-1)
    return np.clip(x, 0, 1) * 255


def motion(image, severity, index):
    radius, sigma = [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)][severity - 1]
    angle = math.radians(generator(index).number(-45, 45))
    width = 2 * radius + 1
    weights = np.exp(-np.arange(width) ** 2 / (2 * sigma * sigma))
    weights /= weights.sum()
    x = np.zeros(image.shape)
    for i, weight in enumerate(weights):
        rows = np.arange(side) + math.ceil(i * math.sin(angle) - 0.5)
        columns = np.arange(side) + math.ceil(i * math.cos(angle) - 0.5)
        x += weight * image[np.ix_(rows.clip(0, side - 1), columns.clip(0, side - 1))]
    return x


def zoom(image, severity, index):
    # arange's length is a quotient of floats rounded up: at severities 1 and 2 it goes on to 1.06 and 1.11, at the
    # others it stops at 1.15, 1.20 and 1.25. The published images are what came of it.
    factors = np.arange(1, [1.06, 1.11, 1.16, 1.21, 1.26][severity - 1], 0.01)
    x = (image / 255).astype(np.float32)
    total = x.copy()
    for factor in factors:
        part = math.ceil(side / factor)
        first = (side - part) // 2
        middle = x[first:first + part, first:first + part]
        large = ndimage.zoom(middle, (factor, factor, 1), order=1)
        trim = (len(large) - side) // 2
        total += large[trim:trim + side, trim:trim + side]
    return np.clip(total / (len(factors) + 1), 0, 1) * 255


def glass(image, severity, index):
    sigma, reach, rounds = [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)][severity - 1]
    random = generator(index)
    x = (smooth(image / 255, sigma) * 255).astype(np.uint8)
    for _ in range(rounds):
        for row in range(side - reach, reach, -1):
            for column in range(side - reach, reach, -1):
                dx, dy = random.integer(-reach, reach), random.integer(-reach, reach)
                # The original swaps views of one array, which copies the other pixel over this one and no more.
                x[row, column] = x[row + dy, column + dx]
    return np.clip(smooth(x / 255, sigma), 0, 1) * 255


def main():
    image = picture()
    # One index for each severity: its own angle, of either sign, and its own moves.
    indices = [3, 6, 9, 12, 15]
    blurs = {}
    for blur in (gaussian, defocus, motion, zoom, glass):
        expected = [blur(image, severity, index) for severity, index in enumerate(indices, 1)]
        blurs[blur.__name__] = ["".join(f"{int(v * 16):03x}" for v in x.flatten()) for x in expected]
    here = pathlib.Path(__file__).parent / "Golden"
    here.mkdir(exist_ok=True)
    golden = dict(side=side, seed=seed, indices=indices, image=image.tobytes().hex(), blurs=blurs)
    (here / "blurs.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
