/* The inner loops of the engine, in one binary for several instruction sets.
 *
 * The functions below, but for some that only move floats or run once for an image, are compiled for each instruction set
 * this architecture may have (x86-64: baseline, AVX2 with FMA, AVX-512; arm64: NEON, which is its baseline) and reached
 * through a table that is chosen once, from what the processor says. FOVEA_ISA=baseline|avx2|avx512 in the environment
 * forces one; one that the processor lacks ends the program.
 *
 * `stream` writes past the caches where the rows allow it: for results so large that they would not be there when somebody
 * reads them.
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

/* Columns of a panel of packed left operands: a multiple of the rows of every register tile. */
enum { CK_PANEL = 48 };

/* Steps of Adam with decoupled weight decay; the bias corrections are folded into the first three by the caller. */
typedef struct {
    float step;     /* learning rate / (1 - beta1^t) */
    float root;     /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
    float beta1, beta2;
    float decay;    /* learning rate * weight decay */
    float scale;    /* factor on the gradient, from clipping */
} ck_adam_settings;

/* What an activation does to x: nothing; max(0, x); x * sigmoid(linear*x + cubic*x^3), which is SiLU for (1, 0) and GELU in
 * its tanh form for (1.5957691, 0.0713548); min(max(0, x), 6); x * min(max(0, x + 3), 6) / 6. */
enum { CK_NO_ACTIVATION, CK_RELU, CK_GATE, CK_RELU6, CK_HARD_SWISH };
typedef struct {
    int kind;
    float linear, cubic;
} ck_activation;

/* What follows a convolution while its results are at hand: scale[c] (NULL is 1) and shift[c] (NULL is 0), then an
 * activation. */
typedef struct {
    const float *scale, *shift;
    ck_activation activation;
} ck_epilogue;

/* Batch norm as forward left it, by channel: activation(x*scale + shift), and the batch's mean. */
typedef struct {
    const float *scale, *shift, *mean;
    ck_activation activation;
} ck_norm;

/* How Winograd's tiles lie on a map (see winograd.h): m x m pixels of the output of a k x k convolution each. */
typedef struct {
    int height, width, channels; /* of the map that is read or written */
    int pad;                     /* zeros before the first row and column of a map that is read */
    int down, across;            /* tiles of an image */
    int m, k;                    /* (2, 3), (3, 3), (4, 3), (3, 2), (4, 2), (2, 5) or (4, 5) */
    int stream;                  /* write past the caches, as below */
} ck_wino_map;

/* A map whose k x k patches are taken, `down` x `across` of them, `stride` pixels apart, the first of which begins `top` and
 * `left` pixels outside. Whatever lies outside is 0. `columns` is the width of a patch where that is not k, else 0. */
typedef struct {
    int height, width, channels;
    int k, columns, stride;
    int top, left;
    int down, across;
} ck_patches;

/* X(result, name, parameters, arguments) */
#define CK_KERNELS(X)                                                                                                  \
    /* sum[c] += x, squares[c] += x*x over rows; squares may be NULL. */                                               \
    X(void, moments, (const float *x, size_t rows, int c, double *sum, double *squares), (x, rows, c, sum, squares))   \
    /* y = activation(x*scale[c] + shift[c]) + add; activation and add may be NULL. May be in place. */                 \
    X(void, affine,                                                                                                    \
      (const float *x, const float *add, float *y, size_t rows, int c, const float *scale, const float *shift,         \
       const ck_activation *activation, int stream),                                                                   \
      (x, add, y, rows, c, scale, shift, activation, stream))                                                          \
    /* Batch norm backwards, first pass, with g the gradient of x*scale + shift: sum[c] += g,                          \
     * product[c] += g*(x - mean[c]). */                                                                               \
    X(void, norm_sums,                                                                                                 \
      (const float *x, const float *dy, size_t rows, int c, const ck_norm *norm, double *sum, double *product),        \
      (x, dy, rows, c, norm, sum, product))                                                                            \
    /* Batch norm backwards, second pass: dx = a[c]*g + b[c]*x + d[c]; dx may be dy. */                                \
    X(void, norm_apply,                                                                                                \
      (const float *x, const float *dy, float *dx, size_t rows, int c, const ck_norm *norm, const float *a,            \
       const float *b, const float *d, int stream),                                                                    \
      (x, dy, dx, rows, c, norm, a, b, d, stream))                                                                             \
    /* 2 x 2 maximum, stride 2, of one image; `which` (0..3, may be NULL) remembers the first largest. What an odd side\
     * leaves over is in no square. */                                                                                 \
    X(void, maxpool, (const float *x, int h, int w, int c, float *y, uint8_t *which), (x, h, w, c, y, which))          \
    X(void, maxpool_back, (const float *dy, const uint8_t *which, int h, int w, int c, float *dx, int stream),         \
      (dy, which, h, w, c, dx, stream))                                                                                        \
    /* 3 x 3 maximum, stride 2: ceil(side / 2) windows, the first of which begins `top` and `left` (0 or 1) pixels outside.\
     * `which` (0..8) as above. */                                                                                     \
    X(void, maxpool3, (const float *x, int h, int w, int c, int top, int left, float *y, uint8_t *which),              \
      (x, h, w, c, top, left, y, which))                                                                               \
    X(void, maxpool3_back,                                                                                             \
      (const float *dy, const uint8_t *which, int h, int w, int c, int top, int left, float *dx, int stream),          \
      (dy, which, h, w, c, top, left, dx, stream))                                                                     \
    /* The mean of each patch, of which no pixel lies outside; and each pixel's share of the gradients. */             \
    X(void, mean_pool, (const float *x, const ck_patches *p, float *y), (x, p, y))                                     \
    X(void, mean_pool_back, (const float *dy, const ck_patches *p, float *dx), (dy, p, dx))                            \
    /* y = f(x), dx = dy * f'(x); y may be x, dx may be dy. */                                                         \
    X(void, apply_activation, (const float *x, float *y, size_t n, const ck_activation *f), (x, y, n, f))                    \
    X(void, apply_activation_back, (const float *x, const float *dy, float *dx, size_t n, const ck_activation *f),           \
      (x, dy, dx, n, f))                                                                                               \
    /* Softmax of one row of n logits; logits and probabilities may be the same buffer. */                             \
    X(void, softmax, (const float *logits, int n, float *probabilities), (logits, n, probabilities))                   \
    /* Depthwise convolution of one map, k x k (1, 3, 5 or 7), stride 1 or 2: output rows [first, last), then the epilogue\
     * (may be NULL). Filters are k*k x c. */                                                                          \
    X(void, depthwise,                                                                                                 \
      (const float *x, const float *weights, const ck_patches *p, int first, int last, const ck_epilogue *epilogue,    \
       float *y),                                                                                                      \
      (x, weights, p, first, last, epilogue, y))                                                                       \
    /* Rows [first, last) of the gradient of the map. */                                                               \
    X(void, depthwise_back,                                                                                            \
      (const float *dy, const float *weights, const ck_patches *p, int first, int last, float *dx),                    \
      (dy, weights, p, first, last, dx))                                                                               \
    /* gradient of the filters += that of output rows [first, last) of one map. */                                     \
    X(void, depthwise_filters,                                                                                         \
      (const float *x, const float *dy, const ck_patches *p, int first, int last, float *gradient),                    \
      (x, dy, p, first, last, gradient))                                                                               \
    /* The largest plus the mean of each channel of one image; `which` remembers the first pixel with the largest. */  \
    X(void, global_pool, (const float *x, int pixels, int c, float *y, int32_t *which), (x, pixels, c, y, which))      \
    X(void, global_pool_back, (const float *dy, const int32_t *which, int pixels, int c, float *dx),                   \
      (dy, which, pixels, c, dx))                                                                                      \
    /* to = a + b; to may be neither. */                                                                               \
    X(void, sum, (const float *a, const float *b, float *to, size_t n), (a, b, to, n))                                 \
    /* mask[i] = 1 with probability threshold / 2^32, from a hash of key and i; returns the number of ones. */         \
    X(size_t, mask, (uint8_t *mask, size_t n, uint64_t key, uint32_t threshold), (mask, n, key, threshold))            \
    /* In place: x = mask ? x*scale : 0. */                                                                            \
    X(void, masked_scale, (float *x, const uint8_t *mask, size_t n, float scale), (x, mask, n, scale))                 \
    /* to += from */                                                                                                   \
    X(void, add, (const float *from, float *to, size_t n), (from, to, n))                                              \
    X(double, sum_squares, (const float *x, size_t n), (x, n))                                                         \
    /* Columns of a panel of packed right operands: 8, 16 or 32. */                                                    \
    X(int, columns, (void), ())                                                                                        \
    /* Panels of `panel` columns of a k x n matrix whose rows are `ld` apart, in each the k rows one behind the other; \
     * missing columns are 0. */                                                                                       \
    X(void, pack, (const float *from, ptrdiff_t ld, int k, int n, int panel, float *panels),                           \
      (from, ld, k, n, panel, panels))                                                                                 \
    /* c[m x n] = (add ? c : 0) + a[m x k] * b: b packed into panels of ck_columns(). A row of c has the same bits     \
     * whatever the other rows are. */                                                                                 \
    X(void, product,                                                                                                   \
      (int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, float *c, ptrdiff_t ldc, int add),          \
      (m, n, k, a, lda, b, c, ldc, add))                                                                               \
    /* The same, then the epilogue (may be NULL). */                                                                   \
    X(void, product_finished,                                                                                          \
      (int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, const ck_epilogue *epilogue, float *c,      \
       ptrdiff_t ldc),                                                                                                 \
      (m, n, k, a, lda, b, epilogue, c, ldc))                                                                          \
    /* y = activation(y*scale + shift) of rows that are `ld` apart, in place. */                                       \
    X(void, finish_rows, (float *y, size_t rows, int c, ptrdiff_t ld, const ck_epilogue *epilogue),                     \
      (y, rows, c, ld, epilogue))                                                                                      \
    /* c[m x n] = a[m x k] * b[k x n], or (transposed) b[n x k], for a b that is used once. Rows as in `product`. */   \
    X(void, product_once,                                                                                              \
      (int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, int transposed, float *c,    \
       ptrdiff_t ldc),                                                                                                 \
      (m, n, k, a, lda, b, ldb, transposed, c, ldc))                                                                   \
    /* c[m x n] = (add ? c : 0) + transposed(a[k x m]) * b[k x n]: a packed into panels of CK_PANEL, b of ck_columns(). */\
    X(void, product_columns,                                                                                           \
      (int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, int add),                         \
      (m, n, k, a, b, c, ldc, add))                                                                                    \
    /* The part of a map that its patches see, with zeros around: (down-1)*stride + k rows of as many columns. */       \
    X(void, border, (const float *x, const ck_patches *p, float *padded), (x, p, padded))                              \
    /* y[rows x n] = patches of the output pixels [first, first + rows) of one bordered map, whose rows are `wide` pixels,\
     * times b, k*columns*channels x n in the order ky, kx, c, packed; then the epilogue (may be NULL). Rows of y are  \
     * `ldy` apart. */                                                                                                 \
    X(void, patch_product,                                                                                             \
      (const float *padded, int wide, const ck_patches *p, int first, int rows, int n, const float *b,                 \
       const ck_epilogue *epilogue, float *y, ptrdiff_t ldy),                                                          \
      (padded, wide, p, first, rows, n, b, epilogue, y, ldy))                                                                    \
    /* c[i x n] = (add ? c : 0) + sum over pixels of x[pixel x i] * dy[pixel x n], both as they are. n is a multiple of\
     * ck_columns(). */                                                                                                \
    X(void, product_pixels, (int i, int n, int pixels, const float *x, const float *dy, float *c, int add),            \
      (i, n, pixels, x, dy, c, add))                                                                                   \
    /* gradient[k*k*channels x n] += sum over the output pixels of one bordered map of patch * dy (packed). */         \
    X(void, patch_gradient, (const float *padded, const ck_patches *p, int n, const float *dy, float *gradient),       \
      (padded, p, n, dy, gradient))                                                                                    \
    /* Winograd's filters k x k x inputs x outputs, for input channels [first, last), to a*a packed right operands. */ \
    X(void, wino_filters, (const float *w, int m, int k, int inputs, int outputs, int first, int last, float *u),      \
      (w, m, k, inputs, outputs, first, last, u))                                                                      \
    /* 3 x 3 filters as wino_single reads them: vectors (ck_columns() / 2) of outputs [first, last). */                \
    X(void, wino_gather, (const float *w, int inputs, int outputs, int first, int last, float *packed),                \
      (w, inputs, outputs, first, last, packed))                                                                       \
    /* The a*a products of a single tile v with them, for the same: as by wino_filters and product. */                 \
    X(void, wino_single,                                                                                               \
      (const float *packed, int m, int inputs, int outputs, int first, int last, const float *v, float *products),     \
      (packed, m, inputs, outputs, first, last, v, products))                                                          \
    /* The other way for gradients: du is a*a times inputs x outputs, rounded up to whole panels. */                   \
    X(void, wino_filters_back, (const float *du, int m, int k, int inputs, int outputs, int first, int last, float *dw),\
      (du, m, k, inputs, outputs, first, last, dw))                                                                    \
    /* Tiles [first, first + tiles) of a map that is read, which are the first ones of a block. `panel` 0: to a*a left \
     * operands of block x c, by rows; else to a*a times panels of `panel` channels, in each the tiles one behind the  \
     * other, missing channels 0. */                                                                                   \
    X(void, wino_tiles,                                                                                                \
      (const float *x, const ck_wino_map *map, int first, int tiles, int block, int panel, float *v),                  \
      (x, map, first, tiles, block, panel, v))                                                                         \
    /* The first tiles of a*a products of block x c to the pixels of a map that is written; the epilogue may be NULL. */\
    X(void, wino_pixels,                                                                                               \
      (const float *products, const ck_wino_map *map, int first, int tiles, int block, const ck_epilogue *epilogue,    \
       float *y),                                                                                                      \
      (products, map, first, tiles, block, epilogue, y))                                                                      \
    /* Its transpose: the gradient of pixels to a*a packed right operands of tiles x c. */                             \
    X(void, wino_pixels_back, (const float *dy, const ck_wino_map *map, int first, int tiles, float *products),        \
      (dy, map, first, tiles, products))                                                                               \
    /* Stochastic gradient descent with Nesterov's momentum, as PyTorch has it: g' = scale*g + decay*p, m = momentum*m + g',\
     * p -= rate*(g' + momentum*m). */                                                                                 \
    X(void, nesterov,                                                                                                  \
      (float *p, const float *g, float *m, size_t n, float rate, float momentum, float decay, float scale),            \
      (p, g, m, n, rate, momentum, decay, scale))                                                                      \
    /* m = momentum*m + g, ahead = g + momentum*m */                                                                   \
    X(void, momentum, (const float *g, float *m, float *ahead, size_t n, float momentum), (g, m, ahead, n, momentum))  \
    /* y = a*x + b*y; x may be y */                                                                                        \
    X(void, blend, (const float *x, float *y, size_t n, float a, float b), (x, y, n, a, b))                            \
    X(void, adam, (float *p, const float *g, float *m, float *v, size_t n, const ck_adam_settings *settings),                   \
      (p, g, m, v, n, settings))

#define CK_DECLARE(result, name, parameters, arguments) result ck_##name parameters;
CK_KERNELS(CK_DECLARE)
#undef CK_DECLARE

/* What an image shall be: `label`, and for its `share` (0 to 1) `other`, where two images were mixed. */
typedef struct {
    int32_t label, other;
    float share;
} ck_target;

/* What is minimised: cross-entropy against a smoothed target, and `hierarchy` times that of the superclass, whose probability
 * is the sum of its classes'; group[class] is the class's superclass, or group is NULL. */
typedef struct {
    float smoothing, hierarchy;
    const int32_t *group;
} ck_loss;

/* The loss of one row of logits against t = (1-s)*((1-share)*onehot(label) + share*onehot(other)) + s/n.
 * gradient (may be NULL, may be logits) = its derivative times scale; *best is the argmax. */
float ck_cross_entropy(const float *logits, int n, ck_target target, const ck_loss *loss, float scale, float *gradient,
                       int *best);

/* DropBlock's mask of one H x W x C image: every zero of `seeds` clears the block x block square around it in `mask`.
 * Returns the number of ones. `seeds` and `mask` are different buffers. */
size_t ck_spread_blocks(const uint8_t *seeds, int h, int w, int c, int block, uint8_t *mask);

/* k x k x I x O filters -> k x k x O x I, rotated by 180 degrees, for outputs [first, last) of the k*k positions:
 * the filters with which backward-data is a forward convolution. */
void ck_rotate_filters(const float *w, int k, int inputs, int outputs, int first, int last, float *rotated);

/* Tells the processor that its thread waits for another one. */
static inline void ck_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* to[column][row] = from[row][column]; `to` has rows of `across` floats. */
void ck_transpose(const float *from, int rows, int columns, float *to, int across);

#endif
