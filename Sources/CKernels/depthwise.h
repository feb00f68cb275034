/* Depthwise convolutions, included once per instruction set: each channel by itself, k x k, stride 1, SAME. Channels lie in
 * the vectors; four pixels of a row are computed at a time, so that a weight is loaded once for four multiplications. */

/* One vector of channels of one image; `flip` rotates the filters by 180 degrees, which makes it backward-data. */
static inline void CK(depthwise_lanes)(const float *x, const float *weights, float *y, int h, int w, int c, int k, int i,
                                       int flip) {
    const int pad = k / 2, n = c - i;
    for (int row = 0; row < h; row++) {
        const int top = row < pad ? pad - row : 0, bottom = row + k - pad > h ? h - row + pad : k;
        for (int at = 0; at < w; at += 4) {
            const int pixels = w - at < 4 ? w - at : 4;
            /* All taps of all four pixels inside? */
            const int inside = pixels == 4 && at >= pad && at + 3 + k - pad <= w;
            CK(vector) sum[4] = {{0}, {0}, {0}, {0}};
            for (int v = top; v < bottom; v++) {
                const float *line = x + ((ptrdiff_t)(row + v - pad) * w + at - pad) * c + i;
                for (int u = 0; u < k; u++) {
                    const int tap = v * k + u;
                    const CK(vector) weight =
                        CK(load_some)(weights + (ptrdiff_t)(flip ? k * k - 1 - tap : tap) * c + i, n);
                    if (inside) {
                        for (int p = 0; p < 4; p++) sum[p] += weight * CK(load_some)(line + (ptrdiff_t)(u + p) * c, n);
                    } else {
                        for (int p = 0; p < pixels; p++) {
                            const int from = at + p + u - pad;
                            if (from >= 0 && from < w) sum[p] += weight * CK(load_some)(line + (ptrdiff_t)(u + p) * c, n);
                        }
                    }
                }
            }
            for (int p = 0; p < pixels; p++)
                CK(store_some)(y + ((ptrdiff_t)row * w + at + p) * c + i, sum[p], n);
        }
    }
}

static void CK(depthwise)(const float *x, const float *weights, int h, int w, int c, int k, int flip, float *y) {
    for (int i = 0; i < c; i += CK_LANES) CK(depthwise_lanes)(x, weights, y, h, w, c, k, i, flip);
}

/* gradient[k*k x c] += sum over pixels of x (moved) * dy, for one image: the k sums of a row of taps stay in registers. */
static inline void CK(depthwise_filters_lanes)(const float *x, const float *dy, float *gradient, int h, int w, int c, int k,
                                               int i) {
    const int pad = k / 2, n = c - i;
    for (int v = 0; v < k; v++) {
        CK(vector) sum[7] = {{0}, {0}, {0}, {0}, {0}, {0}, {0}};
        const int first = v < pad ? pad - v : 0, last = v > pad ? h - v + pad : h;
        for (int row = first; row < last; row++) {
            const float *line = x + ((ptrdiff_t)(row + v - pad) * w - pad) * c + i;
            const float *from = dy + (ptrdiff_t)row * w * c + i;
            for (int at = 0; at < w; at++) {
                const CK(vector) d = CK(load_some)(from + (ptrdiff_t)at * c, n);
                if (at >= pad && at + k - pad <= w) {
                    for (int u = 0; u < k; u++) sum[u] += d * CK(load_some)(line + (ptrdiff_t)(at + u) * c, n);
                } else {
                    for (int u = 0; u < k; u++)
                        if (at + u >= pad && at + u < w + pad)
                            sum[u] += d * CK(load_some)(line + (ptrdiff_t)(at + u) * c, n);
                }
            }
        }
        for (int u = 0; u < k; u++) {
            float *to = gradient + (ptrdiff_t)(v * k + u) * c + i;
            CK(store_some)(to, CK(load_some)(to, n) + sum[u], n);
        }
    }
}

/* With a constant k the sums stay in registers. */
static void CK(depthwise_filters)(const float *x, const float *dy, int h, int w, int c, int k, float *gradient) {
    for (int i = 0; i < c; i += CK_LANES) {
        if (k == 3) CK(depthwise_filters_lanes)(x, dy, gradient, h, w, c, 3, i);
        else if (k == 5) CK(depthwise_filters_lanes)(x, dy, gradient, h, w, c, 5, i);
        else if (k == 7) CK(depthwise_filters_lanes)(x, dy, gradient, h, w, c, 7, i);
        else CK(depthwise_filters_lanes)(x, dy, gradient, h, w, c, 1, i);
    }
}
