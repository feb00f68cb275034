/* Depthwise convolutions, included once per instruction set: each channel by itself, k x k, stride 1 or 2. The maps are read
 * where they lie, without a border. Channels lie in the vectors; four pixels of a row are computed at a time, so that what is
 * loaded is used several times. k and the stride are constant, so that all sums stay in registers.
 *
 * Rows beyond the map are left out of the sums. Columns beyond the map matter only to the first and the last pixels of a row:
 * those take a second copy of the loop, which looks at each column. */

enum { CK(GROUP) = 4 };

/* `GROUP` pixels of a row from pixel `at` on, channels [i, i + n), of which `present` are stored. `from` is the first of the
 * `lines` rows of the map that count, at the column of the first tap; `column` is that column. */
static inline __attribute__((always_inline)) void CK(depthwise_group)(
    int k, int s, int edge, const float *from, ptrdiff_t line, ptrdiff_t c, int column, int width, const float *weights,
    int lines, const ck_epilogue *epilogue, float *to, int present, int i, int n) {
    CK(vector) sum[CK(GROUP)];
    _Pragma("clang loop unroll(full)") for (int p = 0; p < CK(GROUP); p++) sum[p] = (CK(vector)){0};
    for (int v = 0; v < lines; v++, from += line, weights += k * c) {
        CK(vector) pixel[(CK(GROUP) - 1) * 2 + 7];
        _Pragma("clang loop unroll(full)") for (int p = 0; p < (CK(GROUP) - 1) * s + k; p++) {
            if (edge && (column + p < 0 || column + p >= width)) pixel[p] = (CK(vector)){0};
            else pixel[p] = CK(load_some)(from + p * c, n);
        }
        _Pragma("clang loop unroll(full)") for (int u = 0; u < k; u++) {
            const CK(vector) weight = CK(load_some)(weights + u * c, n);
            _Pragma("clang loop unroll(full)") for (int p = 0; p < CK(GROUP); p++) sum[p] += weight * pixel[p * s + u];
        }
    }
    _Pragma("clang loop unroll(full)") for (int p = 0; p < CK(GROUP); p++) {
        if (epilogue) sum[p] = CK(finish)(sum[p], epilogue, i, (int)c);
        if (!edge || p < present) CK(store_some)(to + p * c, sum[p], n);
    }
}

/* Rows [first, last) of the output. */
static inline __attribute__((always_inline)) void CK(depthwise_rows)(
    int k, int s, const float *x, const float *weights, const ck_patches *p, int first, int last,
    const ck_epilogue *epilogue, float *y) {
    const ptrdiff_t c = p->channels, line = p->width * c;
    /* Pixels up to here touch the left border, from there on the right one. */
    const int after = p->width - k + p->left;
    for (int row = first; row < last; row++) {
        const int top = row * s - p->top;
        const int v0 = top < 0 ? -top : 0, v1 = top + k > p->height ? p->height - top : k;
        const float *from = x + (top + v0) * line - p->left * c, *taps = weights + v0 * k * c;
        float *to = y + (ptrdiff_t)row * p->across * c;
        for (int i = 0; i < c; i += CK_LANES) {
            const int n = CK(least)(CK_LANES, (int)c - i);
            for (int at = 0; at < p->across; at += CK(GROUP)) {
                const int column = at * s - p->left, present = CK(least)(CK(GROUP), p->across - at);
                const float *here = from + (ptrdiff_t)at * s * c + i;
                float *there = to + at * c + i;
                const int inside = column >= 0 && present == CK(GROUP) && (at + CK(GROUP) - 1) * s <= after;
                if (inside && n == CK_LANES)
                    CK(depthwise_group)(k, s, 0, here, line, c, column, p->width, taps + i, v1 - v0, epilogue, there,
                                        CK(GROUP), i, CK_LANES);
                else
                    CK(depthwise_group)(k, s, 1, here, line, c, column, p->width, taps + i, v1 - v0, epilogue, there,
                                        present, i, n);
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
