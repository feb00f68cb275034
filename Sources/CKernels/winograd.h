/* Winograd convolutions (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks"), included once per
 * instruction set: stride 1, m x m pixels of the output at a time from a = m + k - 1 pixels of the input each way.
 *
 *   a = 4, points 0, 1, -1, infinity                       F(2x2, 3x3)  F(3x3, 2x2)
 *   a = 5, points 0, 1, -1, 2, infinity                    F(3x3, 3x3)  F(4x4, 2x2)
 *   a = 6, points 0, 1, -1, 2, -2, infinity                F(4x4, 3x3)  F(2x2, 5x5)
 *   a = 8, points 0, 1, -1, 2, -2, 1/2, -1/2, infinity     F(4x4, 5x5)
 *
 *   input   a x a pixels   d  ->  v = Bt d B      a*a numbers a channel
 *   filter  k x k          g  ->  u = G g Gt      a*a numbers a pair of channels
 *   output  m x m pixels:  y = At (sum over channels of u v) A
 *
 * The sum over channels is a*a matrix products. A tile is numbered by image, row and column of tiles; those over the
 * right and lower edge are cut. Channels lie in the vectors. Backward-data is the same convolution with rotated
 * filters. Backward-filters: du = sum over tiles of v (A dy At), dg = Gt du G.
 *
 * Matrices by Cook's construction from the points p: row p of At has the powers of p; row p of G these over the product of
 * p's distances to the others; row p of Bt the coefficients of the product of (x - q) over the other points q. The input's
 * transform depends on a alone. */

/* Bt d: one line of six. */
static inline void CK(wino_input6)(const CK(vector) d[6], CK(vector) t[6]) {
    const CK(vector) even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
    const CK(vector) near = d[4] - d[2], far = 2 * (d[3] - d[1]);
    t[0] = 4 * d[0] + (d[4] - 5 * d[2]);
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = near + far;
    t[4] = near - far;
    t[5] = 4 * d[1] + (d[5] - 5 * d[3]);
}

/* At m, six to four (3 x 3) or two (5 x 5). */
static inline void CK(wino_output6)(const CK(vector) m[6], CK(vector) y[4], int size) {
    const CK(vector) s = m[1] + m[2], d = m[1] - m[2], far_s = m[3] + m[4], far_d = m[3] - m[4];
    y[0] = m[0] + s + far_s;
    if (size == 4) {
        y[1] = d + 2 * far_d;
        y[2] = s + 4 * far_s;
        y[3] = d + 8 * far_d + m[5];
    } else {
        y[1] = d + 2 * far_d + m[5];
    }
}

/* A y: the transpose of the above. */
static inline void CK(wino_gradient6)(const CK(vector) y[4], CK(vector) m[6], int size) {
    if (size == 4) {
        const CK(vector) even = y[0] + y[2], odd = y[1] + y[3];
        const CK(vector) far_even = y[0] + 4 * y[2], far_odd = 2 * y[1] + 8 * y[3];
        m[0] = y[0];
        m[1] = even + odd;
        m[2] = even - odd;
        m[3] = far_even + far_odd;
        m[4] = far_even - far_odd;
        m[5] = y[3];
    } else {
        m[0] = y[0];
        m[1] = y[0] + y[1];
        m[2] = y[0] - y[1];
        m[3] = y[0] + 2 * y[1];
        m[4] = y[0] - 2 * y[1];
        m[5] = y[1];
    }
}

static inline void CK(wino_input5)(const CK(vector) d[5], CK(vector) t[5]) {
    const CK(vector) near = d[3] - d[1];
    t[0] = 2 * (d[0] - d[2]) + near;
    t[1] = (d[3] - d[2]) - 2 * d[1];
    t[2] = (d[3] - 3 * d[2]) + 2 * d[1];
    t[3] = near;
    t[4] = (d[4] - d[2]) - 2 * near;
}

static inline void CK(wino_output5)(const CK(vector) m[5], CK(vector) y[4], int size) {
    const CK(vector) s = m[1] + m[2], d = m[1] - m[2];
    y[0] = m[0] + s + m[3];
    y[1] = d + 2 * m[3];
    if (size == 3) {
        y[2] = s + 4 * m[3] + m[4];
    } else {
        y[2] = s + 4 * m[3];
        y[3] = d + 8 * m[3] + m[4];
    }
}

static inline void CK(wino_gradient5)(const CK(vector) y[4], CK(vector) m[5], int size) {
    const CK(vector) even = y[0] + y[2], odd = size == 3 ? y[1] : y[1] + y[3];
    m[0] = y[0];
    m[1] = even + odd;
    m[2] = even - odd;
    m[3] = y[0] + 2 * y[1] + 4 * y[2];
    if (size == 4) m[3] += 8 * y[3];
    m[4] = y[size - 1];
}

static inline void CK(wino_input4)(const CK(vector) d[4], CK(vector) t[4]) {
    t[0] = d[0] - d[2];
    t[1] = d[2] + d[1];
    t[2] = d[2] - d[1];
    t[3] = d[3] - d[1];
}

static inline void CK(wino_output4)(const CK(vector) m[4], CK(vector) y[3], int size) {
    y[0] = m[0] + m[1] + m[2];
    if (size == 2) {
        y[1] = m[1] - m[2] + m[3];
    } else {
        y[1] = m[1] - m[2];
        y[2] = m[1] + m[2] + m[3];
    }
}

static inline void CK(wino_gradient4)(const CK(vector) y[3], CK(vector) m[4], int size) {
    const CK(vector) even = size == 2 ? y[0] : y[0] + y[2];
    m[0] = y[0];
    m[1] = even + y[1];
    m[2] = even - y[1];
    m[3] = y[size - 1];
}

static inline void CK(wino_input8)(const CK(vector) d[8], CK(vector) t[8]) {
    t[0] = (d[0] - d[6]) + 5.25f * (d[4] - d[2]);
    t[7] = (d[7] - d[1]) + 5.25f * (d[3] - d[5]);
    const CK(vector) even1 = d[2] + d[6] - 4.25f * d[4], odd1 = d[1] + d[5] - 4.25f * d[3];
    t[1] = even1 + odd1;
    t[2] = even1 - odd1;
    const CK(vector) even2 = d[6] + 0.25f * d[2] - 1.25f * d[4], odd2 = 0.5f * d[1] - 2.5f * d[3] + 2 * d[5];
    t[3] = even2 + odd2;
    t[4] = even2 - odd2;
    const CK(vector) even3 = d[6] + 4 * d[2] - 5 * d[4], odd3 = 2 * d[1] - 2.5f * d[3] + 0.5f * d[5];
    t[5] = even3 + odd3;
    t[6] = even3 - odd3;
}

static inline void CK(wino_output8)(const CK(vector) m[8], CK(vector) y[4], int size) {
    (void)size;
    const CK(vector) s1 = m[1] + m[2], s2 = m[3] + m[4], s3 = m[5] + m[6];
    const CK(vector) d1 = m[1] - m[2], d2 = m[3] - m[4], d3 = m[5] - m[6];
    y[0] = m[0] + s1 + s2 + s3;
    y[1] = d1 + 2 * d2 + 0.5f * d3;
    y[2] = s1 + 4 * s2 + 0.25f * s3;
    y[3] = d1 + 8 * d2 + 0.125f * d3 + m[7];
}

static inline void CK(wino_gradient8)(const CK(vector) y[4], CK(vector) m[8], int size) {
    (void)size;
    const CK(vector) even1 = y[0] + y[2], odd1 = y[1] + y[3];
    const CK(vector) even2 = y[0] + 4 * y[2], odd2 = 2 * y[1] + 8 * y[3];
    const CK(vector) even3 = y[0] + 0.25f * y[2], odd3 = 0.5f * y[1] + 0.125f * y[3];
    m[0] = y[0];
    m[1] = even1 + odd1;
    m[2] = even1 - odd1;
    m[3] = even2 + odd2;
    m[4] = even2 - odd2;
    m[5] = even3 + odd3;
    m[6] = even3 - odd3;
    m[7] = y[3];
}

/* G: the powers of each point, times a factor; at infinity only the highest. */
static inline void CK(wino_g)(int a, int k, float g[8][5]) {
    static const float points[] = {0, 1, -1, 2, -2, 0.5f, -0.5f};
    static const float factors[][7] = {
        {1, 0.5f, 0.5f},
        {1 / 2.f, -1 / 2.f, -1 / 6.f, 1 / 6.f},
        {1 / 4.f, -1 / 6.f, -1 / 6.f, 1 / 24.f, 1 / 24.f},
        {0},
        {1, -2 / 9.f, -2 / 9.f, 1 / 90.f, 1 / 90.f, 32 / 45.f, 32 / 45.f},
    };
    for (int p = 0; p < a; p++) {
        float power = p < a - 1 ? factors[a - 4][p] : 0;
        for (int y = 0; y < k; y++) {
            g[p][y] = p < a - 1 ? power : y == k - 1;
            power *= p < a - 1 ? points[p] : 0;
        }
    }
}

/* G g of a line of three: what the matrix says, in fewer operations. */
static inline void CK(wino_filter3)(int a, const CK(vector) g[3], CK(vector) u[6]) {
    const CK(vector) ends = g[0] + g[2];
    if (a == 4) {
        u[0] = g[0];
        u[1] = 0.5f * (ends + g[1]);
        u[2] = 0.5f * (ends - g[1]);
    } else if (a == 5) {
        u[0] = 0.5f * g[0];
        u[1] = -0.5f * (ends + g[1]);
        u[2] = (-1 / 6.f) * (ends - g[1]);
        u[3] = (1 / 6.f) * (g[0] + 2 * g[1] + 4 * g[2]);
    } else {
        const CK(vector) even = (1 / 24.f) * (g[0] + 4 * g[2]), odd = (1 / 12.f) * g[1];
        u[0] = 0.25f * g[0];
        u[1] = (-1 / 6.f) * (ends + g[1]);
        u[2] = (-1 / 6.f) * (ends - g[1]);
        u[3] = even + odd;
        u[4] = even - odd;
    }
    u[a - 1] = g[2];
}

/* G g of a line of k. */
static inline void CK(wino_filter)(int a, int k, const CK(vector) g[5], CK(vector) u[8]) {
    if (k == 3) {
        CK(wino_filter3)(a, g, u);
        return;
    }
    float g_matrix[8][5];
    CK(wino_g)(a, k, g_matrix);
    for (int p = 0; p < a; p++) {
        u[p] = g_matrix[p][0] * g[0];
        for (int y = 1; y < k; y++) u[p] += g_matrix[p][y] * g[y];
    }
}

/* Filters k x k x inputs x outputs -> u, for input channels [first, last): a*a right operands of inputs x outputs, packed.
 * Padding columns are written as zeros. */
static inline void CK(wino_filters_any)(int a, int k, const float *w, int inputs, int outputs, int first, int last,
                                        float *u) {
    const ptrdiff_t wide = (outputs + CK(COLUMNS) - 1) / CK(COLUMNS) * CK(COLUMNS), plane = wide * inputs;
    for (int i = first; i < last; i++)
        for (int o = 0; o < wide; o += CK_LANES) {
            CK(vector) half[8][5], t[8];
            for (int x = 0; x < k; x++) {
                CK(vector) g[5];
                for (int y = 0; y < k; y++)
                    g[y] = o < outputs ? CK(load_some)(w + ((ptrdiff_t)(y * k + x) * inputs + i) * outputs + o, outputs - o)
                                       : (CK(vector)){0};
                CK(wino_filter)(a, k, g, t);
                for (int p = 0; p < a; p++) half[p][x] = t[p];
            }
            float *to = u + (ptrdiff_t)(o / CK(COLUMNS) * CK(COLUMNS)) * inputs + (ptrdiff_t)i * CK(COLUMNS) +
                        o % CK(COLUMNS);
            for (int p = 0; p < a; p++) {
                CK(wino_filter)(a, k, half[p], t);
                for (int q = 0; q < a; q++, to += plane) CK(store)(to, t[q]);
            }
        }
}

/* 3 x 3 x inputs x outputs -> a vector of outputs behind the other, of each the nine numbers of every input: one stream, as
 * CK(wino_single) reads it. For vectors of outputs [first, last). */
static void CK(wino_gather)(const float *w, int inputs, int outputs, int first, int last, float *packed) {
    for (int o = first * CK_LANES; o < last * CK_LANES; o += CK_LANES)
        for (int i = 0; i < inputs; i++)
            for (int tap = 0; tap < 9; tap++)
                CK(store)(packed + ((ptrdiff_t)o * inputs + i * CK_LANES) * 9 + tap * CK_LANES,
                          CK(load_some)(w + ((ptrdiff_t)tap * inputs + i) * outputs + o, outputs - o));
}

/* The products of a single tile with 3 x 3 filters that are transformed where they are used: 9 numbers a pair of channels are
 * read instead of a*a, which is what the time goes into when an image comes alone. The bits are those of CK(wino_filters) and
 * CK(product): the same steps in the same order. */
static inline __attribute__((always_inline)) void CK(wino_single_any)(int a, const float *packed, int inputs, int outputs,
                                                                      int first, int last, const float *v, float *products) {
    /* Transformed at once, so that a line of sums stays in registers; and read so long before they are needed. */
    enum { INPUTS = 8, AHEAD = 32 };
    for (int o = first * CK_LANES; o < last * CK_LANES; o += CK_LANES) {
        const float *from = packed + (ptrdiff_t)o * inputs * 9;
        CK(vector) total[36], sum[36];
        for (int start = 0; start < inputs; start += CK(STEPS)) {
            const int end = CK(least)(start + CK(STEPS), inputs);
            for (int point = 0; point < a * a; point++) sum[point] = (CK(vector)){0};
            for (int i = start; i < end; i += INPUTS) {
                const int n = CK(least)(INPUTS, end - i);
                CK(vector) half[INPUTS][6][3], t[6];
                for (int r = 0; r < n; r++, from += 9 * CK_LANES) {
                    _Pragma("clang loop unroll(full)") for (int tap = 0; tap < 9; tap++)
                        __builtin_prefetch(from + (AHEAD * 9 + tap) * CK_LANES);
                    _Pragma("clang loop unroll(full)") for (int x = 0; x < 3; x++) {
                        const CK(vector) g[3] = {CK(load)(from + x * CK_LANES), CK(load)(from + (3 + x) * CK_LANES),
                                                 CK(load)(from + (6 + x) * CK_LANES)};
                        CK(wino_filter3)(a, g, t);
                        _Pragma("clang loop unroll(full)") for (int p = 0; p < a; p++) half[r][p][x] = t[p];
                    }
                }
                _Pragma("clang loop unroll(full)") for (int p = 0; p < a; p++) {
                    CK(vector) line[6];
                    _Pragma("clang loop unroll(full)") for (int q = 0; q < a; q++) line[q] = sum[p * a + q];
                    for (int r = 0; r < n; r++) {
                        CK(wino_filter3)(a, half[r][p], t);
                        _Pragma("clang loop unroll(full)") for (int q = 0; q < a; q++) {
                            const float value = v[(ptrdiff_t)(p * a + q) * inputs + i + r];
                            line[q] += value * t[q];
                        }
                    }
                    _Pragma("clang loop unroll(full)") for (int q = 0; q < a; q++) sum[p * a + q] = line[q];
                }
            }
            for (int point = 0; point < a * a; point++)
                total[point] = start > 0 ? total[point] + sum[point] : sum[point];
        }
        for (int point = 0; point < a * a; point++)
            CK(store_some)(products + (ptrdiff_t)point * outputs + o, total[point], outputs - o);
    }
}

static void CK(wino_single)(const float *packed, int m, int inputs, int outputs, int first, int last, const float *v,
                            float *products) {
    if (m == 4) CK(wino_single_any)(6, packed, inputs, outputs, first, last, v, products);
    else if (m == 3) CK(wino_single_any)(5, packed, inputs, outputs, first, last, v, products);
    else CK(wino_single_any)(4, packed, inputs, outputs, first, last, v, products);
}

/* du, a*a times inputs x wide, -> gradient of the filters, for input channels [first, last). */
static inline void CK(wino_filters_back_any)(int a, int k, const float *du, int inputs, int outputs, int first, int last,
                                             float *dw) {
    float g_matrix[8][5];
    CK(wino_g)(a, k, g_matrix);
    const ptrdiff_t wide = (outputs + CK(COLUMNS) - 1) / CK(COLUMNS) * CK(COLUMNS), plane = wide * inputs;
    for (int i = first; i < last; i++)
        for (int o = 0; o < outputs; o += CK_LANES) {
            CK(vector) half[5][8];
            const float *from = du + i * wide + o;
            for (int q = 0; q < a; q++) {
                CK(vector) d[8];
                for (int p = 0; p < a; p++) d[p] = CK(load)(from + (p * a + q) * plane);
                for (int y = 0; y < k; y++) {
                    half[y][q] = g_matrix[0][y] * d[0];
                    for (int p = 1; p < a; p++) half[y][q] += g_matrix[p][y] * d[p];
                }
            }
            for (int y = 0; y < k; y++)
                for (int x = 0; x < k; x++) {
                    CK(vector) sum = g_matrix[0][x] * half[y][0];
                    for (int q = 1; q < a; q++) sum += g_matrix[q][x] * half[y][q];
                    CK(store_some)(dw + ((ptrdiff_t)(y * k + x) * inputs + i) * outputs + o, sum, outputs - o);
                }
        }
}

/* With constant a and k everything above unrolls. */
#define CK_FILTERS(function, ...)                                                                                      \
    if (k == 5 && m == 4) CK(function)(8, 5, __VA_ARGS__);                                                             \
    else if (k == 5) CK(function)(6, 5, __VA_ARGS__);                                                                  \
    else if (k == 3 && m == 4) CK(function)(6, 3, __VA_ARGS__);                                                        \
    else if (k == 3 && m == 3) CK(function)(5, 3, __VA_ARGS__);                                                        \
    else if (k == 3) CK(function)(4, 3, __VA_ARGS__);                                                                  \
    else if (m == 4) CK(function)(5, 2, __VA_ARGS__);                                                                  \
    else CK(function)(4, 2, __VA_ARGS__)

static void CK(wino_filters)(const float *w, int m, int k, int inputs, int outputs, int first, int last, float *u) {
    CK_FILTERS(wino_filters_any, w, inputs, outputs, first, last, u);
}

static void CK(wino_filters_back)(const float *du, int m, int k, int inputs, int outputs, int first, int last,
                                  float *dw) {
    CK_FILTERS(wino_filters_back_any, du, inputs, outputs, first, last, dw);
}
#undef CK_FILTERS

/* One file of transforms for each pair of a and m. */
#define CK_A 4
#define CK_M 2
#include "winograd_tiles.h"
#define CK_A 4
#define CK_M 3
#include "winograd_tiles.h"
#define CK_A 5
#define CK_M 3
#include "winograd_tiles.h"
#define CK_A 5
#define CK_M 4
#include "winograd_tiles.h"
#define CK_A 6
#define CK_M 4
#include "winograd_tiles.h"
#define CK_A 6
#define CK_M 2
#include "winograd_tiles.h"
#define CK_A 8
#define CK_M 4
#include "winograd_tiles.h"

#define CK_BY_TILE(function, ...)                                                                                      \
    switch (map->m + map->k - 1) {                                                                                     \
        case 4: map->m == 2 ? CK(function##_4_2)(__VA_ARGS__) : CK(function##_4_3)(__VA_ARGS__); break;                \
        case 5: map->m == 3 ? CK(function##_5_3)(__VA_ARGS__) : CK(function##_5_4)(__VA_ARGS__); break;                \
        case 6: map->m == 4 ? CK(function##_6_4)(__VA_ARGS__) : CK(function##_6_2)(__VA_ARGS__); break;                \
        default: CK(function##_8_4)(__VA_ARGS__);                                                                      \
    }

static void CK(wino_tiles)(const float *x, const ck_wino_map *map, int first, int tiles, int block, int panel, float *v) {
    CK_BY_TILE(wino_tiles, x, map, first, tiles, block, panel, v)
}

static void CK(wino_pixels)(const float *products, const ck_wino_map *map, int first, int tiles, int block,
                            const ck_epilogue *epilogue, float *y) {
    CK_BY_TILE(wino_pixels, products, map, first, tiles, block, epilogue, y)
}

static void CK(wino_pixels_back)(const float *dy, const ck_wino_map *map, int first, int tiles, float *products) {
    CK_BY_TILE(wino_pixels_back, dy, map, first, tiles, products)
}
#undef CK_BY_TILE
