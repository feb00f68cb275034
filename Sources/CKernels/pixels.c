/* The binomial kernel is separable: a vertical pass turns five rows into one row of 16-bit sums (at most 16 * 255),
 * its ends are mirrored, and a horizontal pass gives the sum of 25 (at most 256 * 255, still 16 bits). One row of
 * scratch, and loops over interleaved channels that every compiler vectorises. */
#include "ckernels_pixels.h"

/* Fused multiply-add would give other bits on arm64 than on x86-64. */
#pragma STDC FP_CONTRACT OFF

int32_t ck_reflect101(int32_t i, int32_t n) {
    if (n == 1) return 0;
    int32_t period = 2 * (n - 1);
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - i;
}

size_t ck_unsharp_scratch(int32_t width) { return ((size_t)width + 4) * 3; }

/* Fills `sums` (with two pixels of margin at either end) with row y filtered by 1 4 6 4 1 from top to bottom. */
static void vertical(const uint8_t *in, int32_t y, int32_t height, int32_t width, uint16_t *restrict sums) {
    size_t stride = (size_t)width * 3;
    const uint8_t *a = in + (size_t)ck_reflect101(y - 2, height) * stride;
    const uint8_t *b = in + (size_t)ck_reflect101(y - 1, height) * stride;
    const uint8_t *c = in + (size_t)y * stride;
    const uint8_t *d = in + (size_t)ck_reflect101(y + 1, height) * stride;
    const uint8_t *e = in + (size_t)ck_reflect101(y + 2, height) * stride;
    uint16_t *restrict middle = sums + 6;
    for (size_t i = 0; i < stride; i++) {
        middle[i] = (uint16_t)(a[i] + e[i] + 4 * (b[i] + d[i]) + 6 * c[i]);
    }
    for (int32_t k = 0; k < 3; k++) {
        sums[k] = middle[ck_reflect101(-2, width) * 3 + k];
        sums[3 + k] = middle[ck_reflect101(-1, width) * 3 + k];
        middle[stride + (size_t)k] = middle[ck_reflect101(width, width) * 3 + k];
        middle[stride + 3 + (size_t)k] = middle[ck_reflect101(width + 1, width) * 3 + k];
    }
}

void ck_unsharp(const uint8_t *in, uint8_t *out, int32_t height, int32_t width, uint16_t *scratch) {
    size_t stride = (size_t)width * 3;
    for (int32_t y = 0; y < height; y++) {
        vertical(in, y, height, width, scratch);
        const uint16_t *restrict s = scratch;
        const uint8_t *restrict row = in + (size_t)y * stride;
        uint8_t *restrict target = out + (size_t)y * stride;
        for (size_t i = 0; i < stride; i++) {
            int32_t blur = s[i] + s[i + 12] + 4 * (s[i + 3] + s[i + 9]) + 6 * s[i + 6];
            int32_t value = 512 * row[i] - blur;
            /* value / 256 to nearest, half to even: the shift is a floor, also below zero. */
            value = (value + 127 + ((value >> 8) & 1)) >> 8;
            target[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
}

/* To nearest, half to even, saturated. Adding 1.5 * 2^23 leaves no bits for a fraction, and the addition itself rounds
 * half to even; this vectorises where lrintf does not. NaN becomes 0. */
static inline uint8_t saturated(float value) {
    value = value > 0.0f ? value : 0.0f;
    value = value < 255.0f ? value : 255.0f;
    float shifted = value + 12582912.0f;
    return (uint8_t)(int32_t)(shifted - 12582912.0f);
}

void ck_unsharp_amount(const uint8_t *in, uint8_t *out, int32_t height, int32_t width, float amount,
                       uint16_t *scratch) {
    size_t stride = (size_t)width * 3;
    for (int32_t y = 0; y < height; y++) {
        vertical(in, y, height, width, scratch);
        const uint16_t *restrict s = scratch;
        const uint8_t *restrict row = in + (size_t)y * stride;
        uint8_t *restrict target = out + (size_t)y * stride;
        for (size_t i = 0; i < stride; i++) {
            int32_t blur = s[i] + s[i + 12] + 4 * (s[i + 3] + s[i + 9]) + 6 * s[i + 6];
            float x = (float)row[i];
            float detail = x - (float)blur * (1.0f / 256.0f);
            target[i] = saturated(x + amount * detail);
        }
    }
}

size_t ck_filter_scratch(int32_t width, int32_t size) {
    return ((size_t)width + (size_t)size - 1) * 3 + (size_t)width * 3;
}

void ck_filter_rgb8(const uint8_t *in, uint8_t *out, int32_t height, int32_t width, const float *kernel, int32_t size,
                    float *scratch) {
    size_t stride = (size_t)width * 3;
    int32_t half = size / 2;
    float *restrict padded = scratch;
    float *restrict sums = scratch + ((size_t)width + (size_t)size - 1) * 3;
    for (int32_t y = 0; y < height; y++) {
        for (size_t i = 0; i < stride; i++) sums[i] = 0.0f;
        for (int32_t ky = 0; ky < size; ky++) {
            const uint8_t *row = in + (size_t)ck_reflect101(y + ky - half, height) * stride;
            for (int32_t x = 0; x < half; x++) {
                for (int32_t k = 0; k < 3; k++) {
                    padded[x * 3 + k] = row[ck_reflect101(x - half, width) * 3 + k];
                    padded[(width + half + x) * 3 + k] = row[ck_reflect101(width + x, width) * 3 + k];
                }
            }
            for (size_t i = 0; i < stride; i++) padded[(size_t)half * 3 + i] = (float)row[i];
            for (int32_t kx = 0; kx < size; kx++) {
                float weight = kernel[ky * size + kx];
                const float *shifted = padded + (size_t)kx * 3;
                for (size_t i = 0; i < stride; i++) sums[i] += weight * shifted[i];
            }
        }
        uint8_t *restrict target = out + (size_t)y * stride;
        for (size_t i = 0; i < stride; i++) target[i] = saturated(sums[i]);
    }
}

void ck_lookup_rgb8(const uint8_t *in, float *out, size_t pixels, const float *table) {
    for (size_t i = 0; i < pixels; i++) {
        out[i * 3] = table[in[i * 3]];
        out[i * 3 + 1] = table[256 + in[i * 3 + 1]];
        out[i * 3 + 2] = table[512 + in[i * 3 + 2]];
    }
}
