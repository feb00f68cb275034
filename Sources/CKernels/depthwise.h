/* Depthwise convolutions, included once per instruction set: each channel by itself, k x k, stride 1 or 2.
 *
 * A tile of the map is copied, two vectors of channels at a time, into a small buffer with its border of zeros:
 *
 *   tile:  rows x columns x 2 vectors          24 KiB, so that it stays in the first-level cache
 *   taps:  k*k x 2 vectors
 *
 * There all distances are constant, no pixel is special, and four pixels of a row times two vectors are computed at a time:
 * eight sums that do not wait for one another, and what is loaded is used several times. All taps of a pixel are summed in
 * reading order, zeros of the border as well, wherever the tile begins. */

enum {
    CK(GROUP) = 4,
    /* Floats of two vectors, and of a tile. */
    CK(PAIR) = 2 * CK_LANES,
    CK(TILE) = 6 * 1024,
    /* Columns of a tile at most, border included. */
    CK(TILE_COLUMNS) = 32,
};

/* Channels [i, i + n) of `rows` x `columns` pixels from (top, left) on, either of which may lie outside the map. */
static inline void CK(depthwise_tile)(const float *x, const ck_patches *p, int top, int left, int rows, int columns, int i,
                                      int n, float *tile) {
    const ptrdiff_t c = p->channels;
    const int before = left < 0 ? CK(least)(-left, columns) : 0;
    const int end = CK(least)(columns, p->width - left);
    for (int row = 0; row < rows; row++, tile += columns * CK(PAIR)) {
        const int y = top + row;
        if (y < 0 || y >= p->height) {
            memset(tile, 0, (size_t)(columns * CK(PAIR)) * sizeof(float));
            continue;
        }
        const float *from = x + ((ptrdiff_t)y * p->width + left) * c + i;
        float *to = tile;
        for (int column = 0; column < before; column++, to += CK(PAIR)) {
            CK(store)(to, (CK(vector)){0});
            CK(store)(to + CK_LANES, (CK(vector)){0});
        }
        if (n >= CK(PAIR)) {
            for (int column = before; column < end; column++, to += CK(PAIR)) {
                CK(store)(to, CK(load)(from + column * c));
                CK(store)(to + CK_LANES, CK(load)(from + column * c + CK_LANES));
            }
        } else {
            for (int column = before; column < end; column++, to += CK(PAIR)) {
                CK(store)(to, CK(load_some)(from + column * c, n));
                CK(store)(to + CK_LANES, n > CK_LANES ? CK(load_some)(from + column * c + CK_LANES, n - CK_LANES)
                                                      : (CK(vector)){0});
            }
        }
        for (int column = CK(least)(columns, end > before ? end : before); column < columns; column++, to += CK(PAIR)) {
            CK(store)(to, (CK(vector)){0});
            CK(store)(to + CK_LANES, (CK(vector)){0});
        }
    }
}

/* Rows [first, last) of the output. */
static inline __attribute__((always_inline)) void CK(depthwise_rows)(
    int k, int s, const float *x, const float *weights, const ck_patches *p, int first, int last,
    const ck_epilogue *epilogue, float *y) {
    /* A group may read beyond the last pixel of the last row, and what it makes of that is not stored. */
    float tile[CK(TILE) + CK(GROUP) * 2 * CK(PAIR)] __attribute__((aligned(64)));
    float taps[7 * 7 * CK(PAIR)] __attribute__((aligned(64)));
    const ptrdiff_t c = p->channels;
    const int widest = (CK(TILE_COLUMNS) - k) / s + 1, tiles = (p->across + widest - 1) / widest;
    const int across = (p->across + tiles - 1) / tiles, columns = (across - 1) * s + k;
    const int down = (CK(TILE) / CK(PAIR) / columns - k) / s + 1;
    memset(tile, 0, sizeof tile);
    for (int row = first; row < last; row += down)
        for (int column = 0; column < p->across; column += across) {
            const int high = CK(least)(down, last - row), wide = CK(least)(across, p->across - column);
            for (int i = 0; i < c; i += CK(PAIR)) {
                const int n = CK(least)(CK(PAIR), (int)c - i);
                CK(depthwise_tile)(x, p, row * s - p->top, column * s - p->left, (high - 1) * s + k, columns, i, n, tile);
                for (int t = 0; t < k * k; t++) {
                    CK(store)(taps + t * CK(PAIR), CK(load_some)(weights + t * c + i, n));
                    CK(store)(taps + t * CK(PAIR) + CK_LANES,
                              n > CK_LANES ? CK(load_some)(weights + t * c + i + CK_LANES, n - CK_LANES) : (CK(vector)){0});
                }
                for (int line = 0; line < high; line++)
                    for (int at = 0; at < wide; at += CK(GROUP)) {
                        CK(vector) sum[CK(GROUP)][2];
                        _Pragma("clang loop unroll(full)") for (int g = 0; g < CK(GROUP); g++)
                            sum[g][0] = sum[g][1] = (CK(vector)){0};
                        const float *from = tile + (line * columns + at) * s * CK(PAIR), *tap = taps;
                        for (int v = 0; v < k; v++, from += columns * CK(PAIR))
                            _Pragma("clang loop unroll(full)") for (int u = 0; u < k; u++, tap += CK(PAIR)) {
                                const CK(vector) t0 = CK(load)(tap), t1 = CK(load)(tap + CK_LANES);
                                _Pragma("clang loop unroll(full)") for (int g = 0; g < CK(GROUP); g++) {
                                    sum[g][0] += t0 * CK(load)(from + (g * s + u) * CK(PAIR));
                                    sum[g][1] += t1 * CK(load)(from + (g * s + u) * CK(PAIR) + CK_LANES);
                                }
                            }
                        if (epilogue) CK(finish_pairs)(sum, CK(GROUP), epilogue, i, (int)c);
                        float *to = y + ((ptrdiff_t)(row + line) * p->across + column + at) * c + i;
                        if (n == CK(PAIR) && at + CK(GROUP) <= wide) {
                            _Pragma("clang loop unroll(full)") for (int g = 0; g < CK(GROUP); g++, to += c) {
                                CK(store)(to, sum[g][0]);
                                CK(store)(to + CK_LANES, sum[g][1]);
                            }
                        } else {
                            for (int g = 0; g < CK(least)(CK(GROUP), wide - at); g++, to += c) {
                                CK(store_some)(to, sum[g][0], n);
                                if (n > CK_LANES) CK(store_some)(to + CK_LANES, sum[g][1], n - CK_LANES);
                            }
                        }
                    }
            }
        }
}

/* gradient += the sum over the output pixels of rows [first, last) of what each tap met, times dy. */
static inline __attribute__((always_inline)) void CK(depthwise_sums)(
    int k, int s, const float *x, const float *dy, const ck_patches *p, int first, int last, float *gradient) {
    const ptrdiff_t c = p->channels, line = p->width * c;
    const int after = p->width - k + p->left;
    for (int row = first; row < last; row++) {
        const int top = row * s - p->top;
        const float *slope = dy + (ptrdiff_t)row * p->across * c;
        for (int v = 0; v < k; v++) {
            if (top + v < 0 || top + v >= p->height) continue;
            const float *from = x + (top + v) * line - p->left * c;
            for (int i = 0; i < c; i += CK_LANES) {
                const int n = CK(least)(CK_LANES, (int)c - i);
                float *to = gradient + v * k * c + i;
                CK(vector) sum[7];
                _Pragma("clang loop unroll(full)") for (int u = 0; u < k; u++) sum[u] = CK(load_some)(to + u * c, n);
                for (int at = 0; at < p->across; at++) {
                    const float *here = from + (ptrdiff_t)at * s * c + i;
                    const CK(vector) d = CK(load_some)(slope + at * c + i, n);
                    const int column = at * s - p->left;
                    if (column >= 0 && at * s <= after) {
                        _Pragma("clang loop unroll(full)") for (int u = 0; u < k; u++)
                            sum[u] += d * CK(load_some)(here + u * c, n);
                    } else {
                        _Pragma("clang loop unroll(full)") for (int u = 0; u < k; u++)
                            if (column + u >= 0 && column + u < p->width) sum[u] += d * CK(load_some)(here + u * c, n);
                    }
                }
                _Pragma("clang loop unroll(full)") for (int u = 0; u < k; u++) CK(store_some)(to + u * c, sum[u], n);
            }
        }
    }
}

/* One function for each k and stride, so that both are constant. */
#define CK_DEPTHWISE(K, S)                                                                                             \
    static void CK(depthwise_##K##_##S)(const float *x, const float *weights, const ck_patches *p, int first, int last, \
                                        const ck_epilogue *epilogue, float *y) {                                       \
        CK(depthwise_rows)(K, S, x, weights, p, first, last, epilogue, y);                                             \
    }                                                                                                                  \
    static void CK(depthwise_filters_##K##_##S)(const float *x, const float *dy, const ck_patches *p, int first,       \
                                                int last, float *gradient) {                                           \
        CK(depthwise_sums)(K, S, x, dy, p, first, last, gradient);                                                     \
    }
CK_DEPTHWISE(1, 1)
CK_DEPTHWISE(1, 2)
CK_DEPTHWISE(3, 1)
CK_DEPTHWISE(3, 2)
CK_DEPTHWISE(5, 1)
CK_DEPTHWISE(5, 2)
CK_DEPTHWISE(7, 1)
CK_DEPTHWISE(7, 2)
#undef CK_DEPTHWISE

#define CK_BY_KERNEL(function, ...)                                                                                    \
    switch (p->k * 2 + p->stride - 1) {                                                                                \
        case 2: CK(function##_1_1)(__VA_ARGS__); break;                                                                \
        case 3: CK(function##_1_2)(__VA_ARGS__); break;                                                                \
        case 6: CK(function##_3_1)(__VA_ARGS__); break;                                                                \
        case 7: CK(function##_3_2)(__VA_ARGS__); break;                                                                \
        case 10: CK(function##_5_1)(__VA_ARGS__); break;                                                               \
        case 11: CK(function##_5_2)(__VA_ARGS__); break;                                                               \
        case 14: CK(function##_7_1)(__VA_ARGS__); break;                                                               \
        default: CK(function##_7_2)(__VA_ARGS__);                                                                      \
    }

static void CK(depthwise)(const float *x, const float *weights, const ck_patches *p, int first, int last,
                          const ck_epilogue *epilogue, float *y) {
    CK_BY_KERNEL(depthwise, x, weights, p, first, last, epilogue, y)
}

static void CK(depthwise_filters)(const float *x, const float *dy, const ck_patches *p, int first, int last,
                                  float *gradient) {
    CK_BY_KERNEL(depthwise_filters, x, dy, p, first, last, gradient)
}
#undef CK_BY_KERNEL

/* Rows [first, last) of dx: each pixel gathers from the outputs whose patches it lies in. */
static void CK(depthwise_back)(const float *dy, const float *weights, const ck_patches *p, int first, int last, float *dx) {
    enum { MOST = 7 };
    const int s = p->stride, k = p->k;
    const ptrdiff_t c = p->channels;
    for (int row = first; row < last; row++)
        for (int column = 0; column < p->width; column++) {
            const float *slope[MOST * MOST], *tap[MOST * MOST];
            int taps = 0;
            for (int v = 0; v < k; v++) {
                const int y = row + p->top - v;
                if (y < 0 || y % s || y / s >= p->down) continue;
                for (int u = 0; u < k; u++) {
                    const int x = column + p->left - u;
                    if (x < 0 || x % s || x / s >= p->across) continue;
                    slope[taps] = dy + ((ptrdiff_t)(y / s) * p->across + x / s) * c;
                    tap[taps++] = weights + (v * k + u) * c;
                }
            }
            float *to = dx + ((ptrdiff_t)row * p->width + column) * c;
            for (int i = 0; i < c; i += CK_LANES) {
                const int n = CK(least)(CK_LANES, (int)c - i);
                CK(vector) sum = {0};
                for (int t = 0; t < taps; t++) sum += CK(load_some)(slope[t] + i, n) * CK(load_some)(tap[t] + i, n);
                CK(store_some)(to + i, sum, n);
            }
        }
}
