/* The kernels of ckernels.h, as plain loops. This file is included once per instruction set, with CK(name) giving the
 * function its name; the compiler vectorises. What the loops owe it: channels innermost, restrict, no early exits. */

/* Rows of few channels (an RGB image) are treated as `fold` rows side by side, so that the inner loop is long. */
enum { CK(FOLD) = 16, CK(WIDE) = 512 };

static inline int CK(fold)(size_t rows, int c) {
    int fold = 1;
    if (c >= CK(FOLD)) return 1;
    while (fold < CK(FOLD) && rows % (size_t)(fold * 2) == 0) fold *= 2;
    return fold;
}

/* Copies n floats; small runs go inline, since most runs here are a few channels long. */
static inline void CK(run)(float *restrict to, const float *restrict from, int n) {
    if (n >= 96) {
        memcpy(to, from, (size_t)n * sizeof(float));
    } else {
        int i = 0;
        for (; i + 8 <= n; i += 8) memcpy(to + i, from + i, 8 * sizeof(float));
        for (; i < n; i++) to[i] = from[i];
    }
}

static void CK(im2col)(const float *x, int h, int w, int c, int k, int pad, int first, int rows, float *columns) {
    const int line = k * c, across = w + 2 * pad - k + 1;
    for (int row = 0; row < rows; row++) {
        const int y = (first + row) / across, at = (first + row) % across;
        /* kernel columns [left, right) fall inside the image */
        const int left = at < pad ? pad - at : 0;
        const int right = at - pad + k > w ? w - at + pad : k;
        float *to = columns + (size_t)row * k * line;
        for (int ky = 0; ky < k; ky++, to += line) {
            const int from = y + ky - pad;
            if (from < 0 || from >= h) {
                memset(to, 0, (size_t)line * sizeof(float));
                continue;
            }
            if (left > 0) memset(to, 0, (size_t)(left * c) * sizeof(float));
            if (right < k) memset(to + right * c, 0, (size_t)((k - right) * c) * sizeof(float));
            CK(run)(to + left * c, x + ((size_t)from * w + at + left - pad) * c, (right - left) * c);
        }
    }
}

/* Sums run in float over 32 rows and then in double: fast, and no worse than double to seven digits. */
static void CK(moments)(const float *x, size_t rows, int c, double *sum, double *squares) {
    const int fold = CK(fold)(rows, c), wide = c * fold;
    float s[CK(WIDE)], q[CK(WIDE)];
    rows /= (size_t)fold;
    for (int start = 0; start < wide; start += CK(WIDE)) {
        const int n = wide - start < CK(WIDE) ? wide - start : CK(WIDE);
        for (size_t top = 0; top < rows; top += 32) {
            const size_t end = top + 32 < rows ? top + 32 : rows;
            memset(s, 0, sizeof s);
            memset(q, 0, sizeof q);
            for (size_t row = top; row < end; row++) {
                const float *restrict from = x + row * (size_t)wide + start;
                for (int i = 0; i < n; i++) {
                    s[i] += from[i];
                    q[i] += from[i] * from[i];
                }
            }
            for (int i = 0; i < n; i++) sum[(start + i) % c] += (double)s[i];
            if (squares)
                for (int i = 0; i < n; i++) squares[(start + i) % c] += (double)q[i];
        }
    }
}

static void CK(affine)(const float *x, float *y, size_t rows, int c, const float *scale, const float *shift,
                       int relu) {
    const int fold = CK(fold)(rows, c);
    float wide_scale[CK(FOLD) * CK(FOLD)], wide_shift[CK(FOLD) * CK(FOLD)];
    if (fold > 1) {
        for (int i = 0; i < c * fold; i++) {
            wide_scale[i] = scale[i % c];
            wide_shift[i] = shift[i % c];
        }
        scale = wide_scale;
        shift = wide_shift;
        rows /= (size_t)fold;
        c *= fold;
    }
    for (size_t row = 0; row < rows; row++) {
        const float *from = x + row * (size_t)c;
        float *to = y + row * (size_t)c;
        if (relu) {
#pragma clang loop vectorize(assume_safety)
            for (int i = 0; i < c; i++) {
                const float value = from[i] * scale[i] + shift[i];
                to[i] = value > 0 ? value : 0;
            }
        } else {
#pragma clang loop vectorize(assume_safety)
            for (int i = 0; i < c; i++) to[i] = from[i] * scale[i] + shift[i];
        }
    }
}

static void CK(norm_sums)(const float *x, const float *dy, size_t rows, int c, const float *mean, double *sum,
                          double *product) {
    float s[CK(WIDE)], q[CK(WIDE)];
    for (int start = 0; start < c; start += CK(WIDE)) {
        const int n = c - start < CK(WIDE) ? c - start : CK(WIDE);
        for (size_t top = 0; top < rows; top += 32) {
            const size_t end = top + 32 < rows ? top + 32 : rows;
            memset(s, 0, sizeof s);
            memset(q, 0, sizeof q);
            for (size_t row = top; row < end; row++) {
                const float *restrict a = x + row * (size_t)c + start;
                const float *restrict d = dy + row * (size_t)c + start;
                const float *restrict m = mean + start;
                for (int i = 0; i < n; i++) {
                    s[i] += d[i];
                    q[i] += d[i] * (a[i] - m[i]);
                }
            }
            for (int i = 0; i < n; i++) {
                sum[start + i] += (double)s[i];
                product[start + i] += (double)q[i];
            }
        }
    }
}

static void CK(norm_apply)(const float *x, const float *dy, float *dx, size_t rows, int c, const float *a,
                           const float *b, const float *d) {
    for (size_t row = 0; row < rows; row++) {
        const float *from = x + row * (size_t)c, *gradient = dy + row * (size_t)c;
        float *to = dx + row * (size_t)c;
#pragma clang loop vectorize(assume_safety)
        for (int i = 0; i < c; i++) to[i] = a[i] * gradient[i] + (b[i] * from[i] + d[i]);
    }
}

static void CK(maxpool)(const float *x, int h, int w, int c, float *y, uint8_t *which) {
    for (int row = 0; row < h / 2; row++)
        for (int at = 0; at < w / 2; at++) {
            const float *restrict p0 = x + ((size_t)(2 * row) * w + 2 * at) * c;
            const float *restrict p1 = p0 + c, *restrict p2 = p0 + (size_t)w * c, *restrict p3 = p2 + c;
            float *restrict to = y + ((size_t)row * (w / 2) + at) * c;
            if (which) {
                uint8_t *restrict k = which + ((size_t)row * (w / 2) + at) * c;
                for (int i = 0; i < c; i++) {
                    const float top = p1[i] > p0[i] ? p1[i] : p0[i], low = p3[i] > p2[i] ? p3[i] : p2[i];
                    const int a = p1[i] > p0[i] ? 1 : 0, b = p3[i] > p2[i] ? 3 : 2;
                    to[i] = low > top ? low : top;
                    k[i] = (uint8_t)(low > top ? b : a);
                }
            } else {
                for (int i = 0; i < c; i++) {
                    const float top = p1[i] > p0[i] ? p1[i] : p0[i], low = p3[i] > p2[i] ? p3[i] : p2[i];
                    to[i] = low > top ? low : top;
                }
            }
        }
}

static void CK(maxpool_back)(const float *dy, const uint8_t *which, int h, int w, int c, float *dx) {
    for (int row = 0; row < h / 2; row++)
        for (int at = 0; at < w / 2; at++) {
            float *restrict p0 = dx + ((size_t)(2 * row) * w + 2 * at) * c;
            float *restrict p1 = p0 + c, *restrict p2 = p0 + (size_t)w * c, *restrict p3 = p2 + c;
            const float *restrict d = dy + ((size_t)row * (w / 2) + at) * c;
            const uint8_t *restrict k = which + ((size_t)row * (w / 2) + at) * c;
            for (int i = 0; i < c; i++) {
                const int chosen = k[i];
                p0[i] = chosen == 0 ? d[i] : 0;
                p1[i] = chosen == 1 ? d[i] : 0;
                p2[i] = chosen == 2 ? d[i] : 0;
                p3[i] = chosen == 3 ? d[i] : 0;
            }
        }
    /* What an odd side leaves over belongs to no square. */
    if (w % 2)
        for (int row = 0; row < h; row++) memset(dx + ((size_t)row * w + w - 1) * c, 0, (size_t)c * sizeof(float));
    if (h % 2) memset(dx + (size_t)(h - 1) * w * c, 0, (size_t)(w * c) * sizeof(float));
}

/* e^x for x <= 0, by 2^n and a polynomial of degree 6 (Taylor on +-ln(2)/2): relative error below 2e-7. No branches and
 * no calls, so that loops over it vectorise. */
static inline float CK(exp_negative)(float x) {
    const float bounded = x < -87.0f ? -87.0f : x;
    const float n = (float)(int)(bounded * 1.44269504f - 0.5f);
    const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const union { int32_t bits; float value; } power = {.bits = ((int32_t)n + 127) << 23};
    return p * power.value;
}

static inline float CK(sigmoid)(float x) {
    const float e = CK(exp_negative)(x < 0 ? x : -x), small = e / (1 + e);
    return x < 0 ? small : 1 - small;
}

static void CK(gate)(const float *restrict x, float *restrict y, size_t n, float linear, float cubic) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * CK(sigmoid)(x[i] * (linear + cubic * x[i] * x[i]));
}

static void CK(gate_back)(const float *restrict x, const float *restrict dy, float *restrict dx, size_t n, float linear,
                          float cubic) {
    for (size_t i = 0; i < n; i++) {
        const float square = x[i] * x[i], s = CK(sigmoid)(x[i] * (linear + cubic * square));
        dx[i] = dy[i] * (s + x[i] * s * (1 - s) * (linear + 3 * cubic * square));
    }
}

static void CK(global_pool)(const float *restrict x, int pixels, int c, float *restrict y, int32_t *restrict which) {
    for (int i = 0; i < c; i++) {
        y[i] = x[i];
        which[i] = 0;
    }
    /* y: the largest; then the mean is added, summed over blocks of channels. */
    for (int p = 1; p < pixels; p++)
        for (int i = 0; i < c; i++) {
            const float value = x[(size_t)p * c + i];
            which[i] = value > y[i] ? p : which[i];
            y[i] = value > y[i] ? value : y[i];
        }
    float sum[64];
    for (int start = 0; start < c; start += 64) {
        const int n = c - start < 64 ? c - start : 64;
        memset(sum, 0, sizeof sum);
        for (int p = 0; p < pixels; p++)
            for (int i = 0; i < n; i++) sum[i] += x[(size_t)p * c + start + i];
        for (int i = 0; i < n; i++) y[start + i] += sum[i] / (float)pixels;
    }
}

static void CK(global_pool_back)(const float *restrict dy, const int32_t *restrict which, int pixels, int c,
                                 float *restrict dx) {
    for (int p = 0; p < pixels; p++)
        for (int i = 0; i < c; i++) dx[(size_t)p * c + i] = dy[i] / (float)pixels + (which[i] == p ? dy[i] : 0);
}

static void CK(sum)(const float *a, const float *b, float *restrict to, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = a[i] + b[i];
}

static void CK(relu)(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

static void CK(relu_back)(const float *restrict y, float *restrict dy, size_t n) {
    for (size_t i = 0; i < n; i++) dy[i] = y[i] > 0 ? dy[i] : 0;
}

/* lowbias32 by Chris Wellons (github.com/skeeto/hash-prospector): 32-bit multiplications only, so that it vectorises. */
static size_t CK(mask)(uint8_t *restrict mask, size_t n, uint64_t key, uint32_t threshold) {
    const uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
    uint32_t ones = 0;
    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        uint32_t x = (i + high) * 0x9e3779b9u ^ low;
        x ^= x >> 16;
        x *= 0x7feb352du;
        x ^= x >> 15;
        x *= 0x846ca68bu;
        x ^= x >> 16;
        const uint32_t keep = x < threshold ? 1 : 0;
        mask[i] = (uint8_t)keep;
        ones += keep;
    }
    return ones;
}

static void CK(masked_scale)(float *restrict x, const uint8_t *restrict mask, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) x[i] = mask[i] ? x[i] * scale : 0;
}

static void CK(add)(const float *restrict from, float *restrict to, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

static double CK(sum_squares)(const float *x, size_t n) {
    double lanes[16] = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int lane = 0; lane < 16; lane++) lanes[lane] += (double)x[i + lane] * (double)x[i + lane];
    for (; i < n; i++) lanes[0] += (double)x[i] * (double)x[i];
    double sum = 0;
    for (int lane = 0; lane < 16; lane++) sum += lanes[lane];
    return sum;
}

/* Kingma & Ba 2015, algorithm 1; the weight decay is decoupled as in Loshchilov & Hutter 2019. */
static void CK(adam)(float *restrict p, const float *restrict g, float *restrict m, float *restrict v, size_t n,
                     const ck_adam_settings *settings) {
    const ck_adam_settings s = *settings;
    for (size_t i = 0; i < n; i++) {
        const float gradient = g[i] * s.scale;
        const float mean = m[i] + (1 - s.beta1) * (gradient - m[i]);
        const float variance = s.beta2 * v[i] + (1 - s.beta2) * gradient * gradient;
        m[i] = mean;
        v[i] = variance;
        p[i] = p[i] - s.decay * p[i] - s.step * mean / (sqrtf(variance) * s.root + s.epsilon);
    }
}
