/* The inner loops of the engine, in one binary for several instruction sets.
 *
 * Every function below is compiled for each instruction set this architecture may have (x86-64: baseline,
 * AVX2 with FMA, AVX-512; arm64: NEON, which is its baseline) and reached through a table that is chosen once,
 * from what the processor says. FOVEA_ISA=baseline|avx2|avx512 in the environment forces one (never one that the
 * processor lacks).
 *
 * Laws of all of them: no allocation, no locks, no errors; the caller owns every buffer; buffers do not overlap unless
 * the comment says "in place". Tensors are dense float32, images are rows x channels with the channels together
 * (NHWC). Results do not depend on where a row stands in its buffer: that is what makes an image's scores the same in
 * any batch.
 * THREADING: all are safe to call from several threads on disjoint outputs. */
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/* The instruction set in use: "baseline", "avx2", "avx512" or "neon". */
const char *ck_isa(void);

/* Steps of Adam with decoupled weight decay; the bias corrections are folded into the first three by the caller. */
typedef struct {
    float step;     /* learning rate / (1 - beta1^t) */
    float root;     /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
    float beta1, beta2;
    float decay;    /* learning rate * weight decay */
    float scale;    /* factor on the gradient, from clipping */
} ck_adam_settings;

/* X(result, name, parameters, arguments) */
#define CK_KERNELS(X)                                                                                                  \
    /* Patches of one H x W x C image for a k x k SAME convolution: output pixels [first, first + rows), each          \
     * k*k*C floats in the order ky, kx, c; zeros outside the image. */                                                \
    X(void, im2col, (const float *x, int h, int w, int c, int k, int first, int rows, float *columns),                 \
      (x, h, w, c, k, first, rows, columns))                                                                           \
    /* sum[c] += x, squares[c] += x*x over rows; squares may be NULL. */                                               \
    X(void, moments, (const float *x, size_t rows, int c, double *sum, double *squares), (x, rows, c, sum, squares))   \
    /* y = x*scale[c] + shift[c], then max(0, .) when relu is set. May be in place. */                                 \
    X(void, affine, (const float *x, float *y, size_t rows, int c, const float *scale, const float *shift, int relu),  \
      (x, y, rows, c, scale, shift, relu))                                                                             \
    /* Batch norm backwards, first pass: sum[c] += dy, product[c] += dy*(x - mean[c]). */                              \
    X(void, norm_sums,                                                                                                 \
      (const float *x, const float *dy, size_t rows, int c, const float *mean, double *sum, double *product),          \
      (x, dy, rows, c, mean, sum, product))                                                                            \
    /* Batch norm backwards, second pass: dx = a[c]*dy + b[c]*x + d[c]; dx may be dy. */                               \
    X(void, norm_apply,                                                                                                \
      (const float *x, const float *dy, float *dx, size_t rows, int c, const float *a, const float *b,                 \
       const float *d),                                                                                                \
      (x, dy, dx, rows, c, a, b, d))                                                                                   \
    /* 2 x 2 maximum, stride 2, of one image with even sides; `which` (0..3, may be NULL) remembers the first largest. */ \
    X(void, maxpool, (const float *x, int h, int w, int c, float *y, uint8_t *which), (x, h, w, c, y, which))          \
    X(void, maxpool_back, (const float *dy, const uint8_t *which, int h, int w, int c, float *dx),                     \
      (dy, which, h, w, c, dx))                                                                                        \
    /* In place: x = max(0, x); and dy = y > 0 ? dy : 0. */                                                            \
    X(void, relu, (float *x, size_t n), (x, n))                                                                        \
    X(void, relu_back, (const float *y, float *dy, size_t n), (y, dy, n))                                              \
    /* mask[i] = 1 with probability threshold / 2^32, from a hash of key and i; returns the number of ones. */         \
    X(size_t, mask, (uint8_t *mask, size_t n, uint64_t key, uint32_t threshold), (mask, n, key, threshold))            \
    /* In place: x = mask ? x*scale : 0. */                                                                            \
    X(void, masked_scale, (float *x, const uint8_t *mask, size_t n, float scale), (x, mask, n, scale))                 \
    /* to += from */                                                                                                   \
    X(void, add, (const float *from, float *to, size_t n), (from, to, n))                                              \
    X(double, sum_squares, (const float *x, size_t n), (x, n))                                                         \
    X(void, adam, (float *p, const float *g, float *m, float *v, size_t n, const ck_adam_settings *settings),                   \
      (p, g, m, v, n, settings))

#define CK_DECLARE(result, name, parameters, arguments) result ck_##name parameters;
CK_KERNELS(CK_DECLARE)
#undef CK_DECLARE

/* Softmax of one row of n logits; logits and probabilities may be the same buffer. */
void ck_softmax(const float *logits, int n, float *probabilities);

/* Softmax cross-entropy of one row against a smoothed label, target = (1-s)*onehot + s/n.
 * Returns the loss; gradient (may be NULL, may be logits) = (softmax - target) * scale; *best is the argmax. */
float ck_cross_entropy(const float *logits, int n, int label, float smoothing, float scale, float *gradient, int *best);

/* DropBlock's mask of one H x W x C image: every zero of `seeds` clears the block x block square around it in `mask`.
 * Returns the number of ones. `seeds` and `mask` are different buffers. */
size_t ck_spread_blocks(const uint8_t *seeds, int h, int w, int c, int block, uint8_t *mask);

/* k x k x I x O filters -> k x k x O x I, rotated by 180 degrees, for outputs [first, last) of the k*k positions:
 * the filters with which backward-data is a forward convolution. */
void ck_rotate_filters(const float *w, int k, int inputs, int outputs, int first, int last, float *rotated);

/* to[column][row] = from[row][column] */
void ck_transpose(const float *from, int rows, int columns, float *to);

#endif
