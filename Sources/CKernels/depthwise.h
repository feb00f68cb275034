/* Depthwise convolutions, included once per instruction set: each channel by itself, k x k, stride 1, SAME. They read maps
 * with a border of zeros (CK(border)), so that no pixel is special. Channels lie in the vectors; four pixels of a row are
 * computed at a time, so that what is loaded is used several times. k is constant, so that all sums stay in registers. */

/* Pixels [at, at + PIXELS) of a row, channels [i, i + lanes). */
#define CK_DEPTHWISE_PIXELS(K, PIXELS)                                                                                 \
    {                                                                                                                  \
        CK(vector) sum[PIXELS];                                                                                        \
        _Pragma("clang loop unroll(full)") for (int p = 0; p < PIXELS; p++) sum[p] = (CK(vector)){0};                  \
        for (int v = 0; v < K; v++) {                                                                                  \
            const float *from = padded + ((ptrdiff_t)(row + v) * wide + at) * c + i;                                   \
            CK(vector) pixel[PIXELS + K - 1];                                                                          \
            _Pragma("clang loop unroll(full)") for (int p = 0; p < PIXELS + K - 1; p++)                                \
                pixel[p] = CK(load_some)(from + (ptrdiff_t)p * c, n);                                                  \
            _Pragma("clang loop unroll(full)") for (int u = 0; u < K; u++) {                                           \
                const CK(vector) weight = taps[v * K + u];                                                             \
                _Pragma("clang loop unroll(full)") for (int p = 0; p < PIXELS; p++) sum[p] += weight * pixel[p + u];   \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("clang loop unroll(full)") for (int p = 0; p < PIXELS; p++)                                            \
            CK(store_some)(y + ((ptrdiff_t)row * w + at + p) * c + i, sum[p], n);                                      \
    }

/* gradient += sum over the pixels [at, at + PIXELS) of a row of x (moved) * dy, for the taps of one row. */
#define CK_DEPTHWISE_SUMS(K, PIXELS)                                                                                   \
    {                                                                                                                  \
        CK(vector) pixel[PIXELS + K - 1];                                                                              \
        _Pragma("clang loop unroll(full)") for (int p = 0; p < PIXELS + K - 1; p++)                                    \
            pixel[p] = CK(load_some)(line + (ptrdiff_t)(at + p) * c, n);                                               \
        _Pragma("clang loop unroll(full)") for (int p = 0; p < PIXELS; p++) {                                          \
            const CK(vector) d = CK(load_some)(from + (ptrdiff_t)(at + p) * c, n);                                     \
            _Pragma("clang loop unroll(full)") for (int u = 0; u < K; u++) sum[u] += d * pixel[p + u];                 \
        }                                                                                                              \
    }

/* Both for one k and one vector of channels, of which n are there; `flip` rotates the filters by 180 degrees, which makes it
 * backward-data. */
#define CK_DEPTHWISE(K)                                                                                                \
    static inline __attribute__((always_inline)) void CK(depthwise_lanes_##K)(                                         \
        const float *padded, const float *weights, int h, int w, int c, int flip, float *y, int i, int n) {            \
        const int wide = w + K - 1;                                                                                    \
        CK(vector) taps[K * K];                                                                                        \
        for (int t = 0; t < K * K; t++)                                                                                \
            taps[t] = CK(load_some)(weights + (ptrdiff_t)(flip ? K * K - 1 - t : t) * c + i, n);                       \
        for (int row = 0; row < h; row++) {                                                                            \
            int at = 0;                                                                                                \
            for (; at + 4 <= w; at += 4) CK_DEPTHWISE_PIXELS(K, 4)                                                     \
            for (; at < w; at++) CK_DEPTHWISE_PIXELS(K, 1)                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    static inline __attribute__((always_inline)) void CK(depthwise_sums_##K)(                                          \
        const float *padded, const float *dy, int h, int w, int c, float *gradient, int i, int n) {                    \
        const int wide = w + K - 1;                                                                                    \
        for (int v = 0; v < K; v++) {                                                                                  \
            CK(vector) sum[K];                                                                                         \
            for (int u = 0; u < K; u++) sum[u] = CK(load_some)(gradient + (ptrdiff_t)(v * K + u) * c + i, n);          \
            for (int row = 0; row < h; row++) {                                                                        \
                const float *line = padded + (ptrdiff_t)(row + v) * wide * c + i;                                      \
                const float *from = dy + (ptrdiff_t)row * w * c + i;                                                   \
                int at = 0;                                                                                            \
                for (; at + 4 <= w; at += 4) CK_DEPTHWISE_SUMS(K, 4)                                                   \
                for (; at < w; at++) CK_DEPTHWISE_SUMS(K, 1)                                                           \
            }                                                                                                          \
            for (int u = 0; u < K; u++) CK(store_some)(gradient + (ptrdiff_t)(v * K + u) * c + i, sum[u], n);          \
        }                                                                                                              \
    }                                                                                                                  \
    static void CK(depthwise_##K)(const float *padded, const float *weights, int h, int w, int c, int flip, float *y) { \
        int i = 0;                                                                                                     \
        for (; i + CK_LANES <= c; i += CK_LANES)                                                                       \
            CK(depthwise_lanes_##K)(padded, weights, h, w, c, flip, y, i, CK_LANES);                                   \
        if (i < c) CK(depthwise_lanes_##K)(padded, weights, h, w, c, flip, y, i, c - i);                               \
    }                                                                                                                  \
    static void CK(depthwise_filters_##K)(const float *padded, const float *dy, int h, int w, int c, float *gradient) { \
        int i = 0;                                                                                                     \
        for (; i + CK_LANES <= c; i += CK_LANES)                                                                       \
            CK(depthwise_sums_##K)(padded, dy, h, w, c, gradient, i, CK_LANES);                                        \
        if (i < c) CK(depthwise_sums_##K)(padded, dy, h, w, c, gradient, i, c - i);                                    \
    }
CK_DEPTHWISE(1)
CK_DEPTHWISE(3)
CK_DEPTHWISE(5)
CK_DEPTHWISE(7)
#undef CK_DEPTHWISE
#undef CK_DEPTHWISE_PIXELS
#undef CK_DEPTHWISE_SUMS

static void CK(depthwise)(const float *padded, const float *weights, const ck_patches *p, int flip, float *y) {
    const int h = p->height, w = p->width, c = p->channels;
    switch (p->k) {
        case 1: CK(depthwise_1)(padded, weights, h, w, c, flip, y); break;
        case 3: CK(depthwise_3)(padded, weights, h, w, c, flip, y); break;
        case 5: CK(depthwise_5)(padded, weights, h, w, c, flip, y); break;
        default: CK(depthwise_7)(padded, weights, h, w, c, flip, y);
    }
}

static void CK(depthwise_filters)(const float *padded, const float *dy, const ck_patches *p, float *gradient) {
    const int h = p->height, w = p->width, c = p->channels;
    switch (p->k) {
        case 1: CK(depthwise_filters_1)(padded, dy, h, w, c, gradient); break;
        case 3: CK(depthwise_filters_3)(padded, dy, h, w, c, gradient); break;
        case 5: CK(depthwise_filters_5)(padded, dy, h, w, c, gradient); break;
        default: CK(depthwise_filters_7)(padded, dy, h, w, c, gradient);
    }
}
