/* ckernels_pixels.h: inner loops of the plugins `sharpen` and `normalize`, on dense RGB8 images.
 *
 * Every result is the same to the last bit on every machine: integers, or float operations in a fixed order
 * without fused multiply-add. */
#ifndef CKERNELS_PIXELS_H
#define CKERNELS_PIXELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The index that stands for `i` outside 0..<n when a border is mirrored without repeating the edge
 *  (gfedcb|abcdefgh|gfedcba, OpenCV's BORDER_REFLECT_101); right for every i and every n of at least 1. */
int32_t ck_reflect101(int32_t i, int32_t n);

/** uint16_t of scratch that the two functions below need. */
size_t ck_unsharp_scratch(int32_t width);

/** out = 2 x - binomial5x5(x) per channel, rounded to nearest (half to even) and saturated: the unsharp mask with
 *  the kernel -1/256 [[1,4,6,4,1],[4,16,24,16,4],[6,24,-476,24,6],[4,16,24,16,4],[1,4,6,4,1]]. */
void ck_unsharp(const uint8_t *in, uint8_t *out, int32_t height, int32_t width, uint16_t *scratch);

/** out = x + amount (x - binomial5x5(x)), rounded and saturated likewise; the same as ck_unsharp for amount 1. */
void ck_unsharp_amount(const uint8_t *in, uint8_t *out, int32_t height, int32_t width, float amount,
                       uint16_t *scratch);

/** floats of scratch that ck_filter_rgb8 needs. */
size_t ck_filter_scratch(int32_t width, int32_t size);

/** Correlation (the kernel is not flipped, as in OpenCV's filter2D) with size x size weights, size odd, rounded and
 *  saturated as above, border reflect-101. */
void ck_filter_rgb8(const uint8_t *in, uint8_t *out, int32_t height, int32_t width, const float *kernel, int32_t size,
                    float *scratch);

/** out[p][c] = table[c * 256 + in[p][c]] for three channels. */
void ck_lookup_rgb8(const uint8_t *in, float *out, size_t pixels, const float *table);

#ifdef __cplusplus
}
#endif
#endif
