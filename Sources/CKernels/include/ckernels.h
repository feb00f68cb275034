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

/* X(result, name, parameters, arguments) */
#define CK_KERNELS(X)                                                                                                  \
    /* Patches of one H x W x C image with a border of `pad` zeros, for a k x k convolution: output pixels             \
     * [first, first + rows) of (H + 2 pad - k + 1) x (W + 2 pad - k + 1), each k*k*C floats in the order ky, kx, c. */\
    X(void, im2col, (const float *x, int h, int w, int c, int k, int pad, int first, int rows, float *columns),        \
      (x, h, w, c, k, pad, first, rows, columns))                                                                      \
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
    /* 2 x 2 maximum, stride 2, of one image; `which` (0..3, may be NULL) remembers the first largest. What an odd side\
     * leaves over is in no square. */                                                                                 \
    X(void, maxpool, (const float *x, int h, int w, int c, float *y, uint8_t *which), (x, h, w, c, y, which))          \
    X(void, maxpool_back, (const float *dy, const uint8_t *which, int h, int w, int c, float *dx),                     \
      (dy, which, h, w, c, dx))                                                                                        \
    /* In place: x = max(0, x); and dy = y > 0 ? dy : 0. */                                                            \
    X(void, relu, (float *x, size_t n), (x, n))                                                                        \
    X(void, relu_back, (const float *y, float *dy, size_t n), (y, dy, n))                                              \
    /* y = x * sigmoid(linear*x + cubic*x^3): SiLU for (1, 0), GELU in its tanh form for (1.5957691, 0.0713548). */    \
    X(void, gate, (const float *x, float *y, size_t n, float linear, float cubic), (x, y, n, linear, cubic))           \
    X(void, gate_back, (const float *x, const float *dy, float *dx, size_t n, float linear, float cubic),              \
      (x, dy, dx, n, linear, cubic))                                                                                   \
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
    /* c[m x n] = a[m x k] * b[k x n], or (transposed) b[n x k], for a b that is used once. Rows as in `product`. */   \
    X(void, product_once,                                                                                              \
      (int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, int transposed, float *c,    \
       ptrdiff_t ldc),                                                                                                 \
      (m, n, k, a, lda, b, ldb, transposed, c, ldc))                                                                   \
    /* c[m x n] = (add ? c : 0) + transposed(a[k x m]) * b[k x n]: a packed into panels of CK_PANEL, b of ck_columns(). */\
    X(void, product_columns,                                                                                           \
      (int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, int add),                         \
      (m, n, k, a, b, c, ldc, add))                                                                                    \
    /* Winograd's convolutions of m x m pixels at a time, k x k: (m, k) is (2, 3), (3, 3), (4, 3) or (2, 5), a = m + k - 1;\
     * see winograd.h. Filters k x k x inputs x outputs, for input channels [first, last), to a*a packed right operands. */\
    X(void, wino_filters, (const float *w, int m, int k, int inputs, int outputs, int first, int last, float *u),      \
      (w, m, k, inputs, outputs, first, last, u))                                                                      \
    /* The other way for gradients: du is a*a times inputs x outputs, rounded up to whole panels. */                   \
    X(void, wino_filters_back, (const float *du, int m, int k, int inputs, int outputs, int first, int last, float *dw),\
      (du, m, k, inputs, outputs, first, last, dw))                                                                    \
    /* Tiles [first, first + tiles) of images to a*a left operands of tiles x c, by rows (panel 0) or packed into panels. */\
    X(void, wino_tiles, (const float *x, int h, int w, int c, int m, int k, int first, int tiles, int panel, float *v),\
      (x, h, w, c, m, k, first, tiles, panel, v))                                                                      \
    /* a*a products of tiles x c to the output's pixels; and the gradient of pixels to a*a packed right operands. */   \
    X(void, wino_pixels, (const float *products, int h, int w, int c, int m, int k, int first, int tiles, float *y),   \
      (products, h, w, c, m, k, first, tiles, y))                                                                      \
    X(void, wino_pixels_back, (const float *dy, int h, int w, int c, int m, int k, int first, int tiles, float *products),\
      (dy, h, w, c, m, k, first, tiles, products))                                                                     \
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
