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

/* Sums run in float over 32 rows and then in double: fast, and the sums are good to seven digits. */
static void CK(moments)(const float *x, size_t rows, int c, double *sum, double *squares) {
    const int fold = CK(fold)(rows, c), wide = c * fold;
    float s[CK(WIDE)], q[CK(WIDE)];
    rows /= (size_t)fold;
    for (int start = 0; start < wide; start += CK(WIDE)) {
        const int n = wide - start < CK(WIDE) ? wide - start : CK(WIDE);
        for (size_t top = 0; top < rows; top += 32) {
            const size_t end = top + 32 < rows ? top + 32 : rows;
            memset(s, 0, (size_t)n * sizeof(float));
            memset(q, 0, (size_t)n * sizeof(float));
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

static void CK(affine)(const float *x, const float *add, float *y, size_t rows, int c, const float *scale,
                       const float *shift, const ck_activation *activation, int stream) {
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
    stream = CK(streams)(stream, y, c);
    for (size_t row = 0; row < rows; row++) {
        const float *from = x + row * (size_t)c, *more = add ? add + row * (size_t)c : NULL;
        float *to = y + row * (size_t)c;
        for (int i = 0; i < c; i += CK_LANES) {
            const int n = c - i;
            CK(vector) v = CK(load_some)(from + i, n) * CK(load_some)(scale + i, n) + CK(load_some)(shift + i, n);
            if (activation) v = CK(activate)(v, activation);
            if (more) v += CK(load_some)(more + i, n);
            if (stream) CK(stream)(to + i, v);
            else CK(store_some)(to + i, v, n);
        }
    }
    if (stream) CK(streamed)();
}

static void CK(finish_rows)(float *y, size_t rows, int c, ptrdiff_t ld, const ck_epilogue *epilogue) {
    for (size_t row = 0; row < rows; row++, y += ld)
        for (int i = 0; i < c; i += CK_LANES)
            CK(store_some)(y + i, CK(finish)(CK(load_some)(y + i, c - i), epilogue, i, c), c - i);
}

/* The gradient of scale*x + shift, from that of what became of it. */
static inline CK(vector) CK(norm_gradient)(const float *x, const float *dy, const ck_norm *norm, int i, int n) {
    const CK(vector) gradient = CK(load_some)(dy + i, n);
    if (norm->activation.kind == CK_NO_ACTIVATION) return gradient;
    const CK(vector) z = CK(load_some)(x + i, n) * CK(load_some)(norm->scale + i, n) + CK(load_some)(norm->shift + i, n);
    return CK(activate_back)(z, gradient, &norm->activation);
}

static void CK(norm_sums)(const float *x, const float *dy, size_t rows, int c, const ck_norm *norm, double *sum,
                          double *product) {
    float s[CK(WIDE)], q[CK(WIDE)];
    for (int start = 0; start < c; start += CK(WIDE)) {
        const int n = c - start < CK(WIDE) ? c - start : CK(WIDE);
        for (size_t top = 0; top < rows; top += 32) {
            const size_t end = top + 32 < rows ? top + 32 : rows;
            memset(s, 0, (size_t)n * sizeof(float));
            memset(q, 0, (size_t)n * sizeof(float));
            for (size_t row = top; row < end; row++) {
                const float *a = x + row * (size_t)c, *d = dy + row * (size_t)c;
                for (int i = 0; i < n; i += CK_LANES) {
                    const int at = start + i, rest = n - i;
                    const CK(vector) gradient = CK(norm_gradient)(a, d, norm, at, rest);
                    const CK(vector) away = CK(load_some)(a + at, rest) - CK(load_some)(norm->mean + at, rest);
                    CK(store_some)(s + i, CK(load_some)(s + i, rest) + gradient, rest);
                    CK(store_some)(q + i, CK(load_some)(q + i, rest) + gradient * away, rest);
                }
            }
            for (int i = 0; i < n; i++) {
                sum[start + i] += (double)s[i];
                product[start + i] += (double)q[i];
            }
        }
    }
}

static void CK(norm_apply)(const float *x, const float *dy, float *dx, size_t rows, int c, const ck_norm *norm,
                           const float *a, const float *b, const float *d, int stream) {
    stream = CK(streams)(stream, dx, c);
    for (size_t row = 0; row < rows; row++) {
        const float *from = x + row * (size_t)c, *gradient = dy + row * (size_t)c;
        float *to = dx + row * (size_t)c;
        for (int i = 0; i < c; i += CK_LANES) {
            const int n = c - i;
            const CK(vector) g = CK(norm_gradient)(from, gradient, norm, i, n);
            const CK(vector) v = CK(load_some)(a + i, n) * g +
                                 (CK(load_some)(b + i, n) * CK(load_some)(from + i, n) + CK(load_some)(d + i, n));
            if (stream) CK(stream)(to + i, v);
            else CK(store_some)(to + i, v, n);
        }
    }
    if (stream) CK(streamed)();
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

/* As many bytes as a vector has floats, as integers. */
static inline CK(integers) CK(places)(const uint8_t *from) {
    typedef uint8_t bytes __attribute__((vector_size(CK_LANES), aligned(1), may_alias));
    return __builtin_convertvector(*(const bytes *)from, CK(integers));
}

static void CK(maxpool_back)(const float *dy, const uint8_t *which, int h, int w, int c, float *dx, int stream) {
    stream = CK(streams)(stream, dx, c);
    /* Line by line, so that what is written lies together. */
    for (int y = 0; y < h / 2 * 2; y++)
        for (int at = 0; at < w / 2; at++) {
            float *restrict left = dx + ((size_t)y * w + 2 * at) * c, *restrict right = left + c;
            const float *restrict d = dy + ((size_t)(y / 2) * (w / 2) + at) * c;
            const uint8_t *restrict k = which + ((size_t)(y / 2) * (w / 2) + at) * c;
            const int first = y % 2 * 2;
            int i = 0;
            for (; i + CK_LANES <= c; i += CK_LANES) {
                const CK(vector) gradient = CK(load)(d + i);
                const CK(integers) place = CK(places)(k + i) - first;
                const CK(vector) l = CK(where)(place == 0, gradient), r = CK(where)(place == 1, gradient);
                if (stream) CK(stream)(left + i, l), CK(stream)(right + i, r);
                else CK(store)(left + i, l), CK(store)(right + i, r);
            }
            for (; i < c; i++) {
                left[i] = k[i] == first ? d[i] : 0;
                right[i] = k[i] == first + 1 ? d[i] : 0;
            }
        }
    if (stream) CK(streamed)();
    /* What an odd side leaves over belongs to no square. */
    if (w % 2)
        for (int row = 0; row < h; row++) memset(dx + ((size_t)row * w + w - 1) * c, 0, (size_t)c * sizeof(float));
    if (h % 2) memset(dx + (size_t)(h - 1) * w * c, 0, (size_t)(w * c) * sizeof(float));
}

/* 3 x 3, stride 2, of ceil(side / 2): the windows begin `top` and `left` pixels outside. */
static void CK(maxpool3)(const float *x, int h, int w, int c, int top, int left, float *y, uint8_t *which) {
    const int down = (h + 1) / 2, across = (w + 1) / 2;
    for (int row = 0; row < down; row++)
        for (int at = 0; at < across; at++) {
            float *restrict to = y + ((size_t)row * across + at) * c;
            uint8_t *restrict k = which ? which + ((size_t)row * across + at) * c : NULL;
            int first = 1;
            for (int v = 0; v < 3; v++)
                for (int u = 0; u < 3; u++) {
                    const int from_y = 2 * row + v - top, from_x = 2 * at + u - left, place = v * 3 + u;
                    if (from_y < 0 || from_y >= h || from_x < 0 || from_x >= w) continue;
                    const float *restrict from = x + ((size_t)from_y * w + from_x) * c;
                    if (first) {
                        memcpy(to, from, (size_t)c * sizeof(float));
                        if (k) memset(k, place, (size_t)c);
                    } else if (k) {
                        for (int i = 0; i < c; i++) {
                            k[i] = from[i] > to[i] ? (uint8_t)place : k[i];
                            to[i] = from[i] > to[i] ? from[i] : to[i];
                        }
                    } else {
                        for (int i = 0; i < c; i++) to[i] = from[i] > to[i] ? from[i] : to[i];
                    }
                    first = 0;
                }
        }
}

static void CK(maxpool3_back)(const float *dy, const uint8_t *which, int h, int w, int c, int top, int left, float *dx,
                              int stream) {
    const int down = (h + 1) / 2, across = (w + 1) / 2;
    stream = CK(streams)(stream, dx, c);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            float *restrict to = dx + ((size_t)y * w + x) * c;
            /* The windows in which the pixel lies: four at most. */
            const float *d[4];
            const uint8_t *k[4];
            int place[4], windows = 0;
            for (int row = (y + top - 1) / 2; row <= (y + top) / 2 && row < down; row++)
                for (int at = (x + left - 1) / 2; at <= (x + left) / 2 && at < across; at++, windows++) {
                    place[windows] = (y + top - 2 * row) * 3 + x + left - 2 * at;
                    d[windows] = dy + ((size_t)row * across + at) * c;
                    k[windows] = which + ((size_t)row * across + at) * c;
                }
            int i = 0;
            for (; i + CK_LANES <= c; i += CK_LANES) {
                CK(vector) sum = {0};
                for (int n = 0; n < windows; n++)
                    sum += CK(where)(CK(places)(k[n] + i) == place[n], CK(load)(d[n] + i));
                if (stream) CK(stream)(to + i, sum);
                else CK(store)(to + i, sum);
            }
            for (; i < c; i++) {
                to[i] = 0;
                for (int n = 0; n < windows; n++) to[i] += k[n][i] == place[n] ? d[n][i] : 0;
            }
        }
    if (stream) CK(streamed)();
}

/* Sums run over the pixels of a patch in reading order. */
static void CK(mean_pool)(const float *x, const ck_patches *p, float *y) {
    const int c = p->channels, columns = p->columns ? p->columns : p->k;
    const float share = 1 / (float)(p->k * columns);
    for (int row = 0; row < p->down; row++)
        for (int at = 0; at < p->across; at++, y += c) {
            const float *from = x + ((ptrdiff_t)row * p->width + at) * p->stride * c;
            for (int i = 0; i < c; i += CK_LANES) {
                const int n = c - i;
                CK(vector) sum = {0};
                for (int v = 0; v < p->k; v++)
                    for (int u = 0; u < columns; u++)
                        sum += CK(load_some)(from + ((ptrdiff_t)v * p->width + u) * c + i, n);
                CK(store_some)(y + i, sum * share, n);
            }
        }
}

static void CK(mean_pool_back)(const float *dy, const ck_patches *p, float *dx) {
    const int c = p->channels, columns = p->columns ? p->columns : p->k;
    const float share = 1 / (float)(p->k * columns);
    memset(dx, 0, (size_t)p->height * (size_t)p->width * (size_t)c * sizeof(float));
    for (int row = 0; row < p->down; row++)
        for (int at = 0; at < p->across; at++, dy += c) {
            float *to = dx + ((ptrdiff_t)row * p->width + at) * p->stride * c;
            for (int v = 0; v < p->k; v++)
                for (int u = 0; u < columns; u++)
                    for (int i = 0; i < c; i++) to[((ptrdiff_t)v * p->width + u) * c + i] += dy[i] * share;
        }
}

static void CK(softmax)(const float *logits, int n, float *probabilities) {
    float largest = logits[0], nothing = 0;
    for (int i = 0; i < n; i++) {
        largest = logits[i] > largest ? logits[i] : largest;
        nothing += logits[i] - logits[i];
    }
    if (nothing != 0) {
        /* Not all are numbers: no probability is one, and whoever looks sees it. */
        for (int i = 0; i < n; i++) probabilities[i] = NAN;
        return;
    }
    CK(vector) sums = {0};
    for (int i = 0; i < n; i += CK_LANES) {
        const CK(vector) away = CK(load_some)(logits + i, n - i) - largest;
        CK(vector) e = CK(exponential)(__builtin_elementwise_max(away, CK(all)(-87)));
        for (int lane = n - i; lane < CK_LANES; lane++) e[lane] = 0;
        sums += e;
        CK(store_some)(probabilities + i, e, n - i);
    }
    float sum = 0;
    for (int lane = 0; lane < CK_LANES; lane++) sum += sums[lane];
    for (int i = 0; i < n; i++) probabilities[i] /= sum;
}

static void CK(apply_activation)(const float *x, float *y, size_t n, const ck_activation *f) {
    for (size_t i = 0; i < n; i += CK_LANES) {
        const int rest = n - i < CK_LANES ? (int)(n - i) : CK_LANES;
        CK(store_some)(y + i, CK(activate)(CK(load_some)(x + i, rest), f), rest);
    }
}

static void CK(apply_activation_back)(const float *x, const float *dy, float *dx, size_t n, const ck_activation *f) {
    for (size_t i = 0; i < n; i += CK_LANES) {
        const int rest = n - i < CK_LANES ? (int)(n - i) : CK_LANES;
        CK(store_some)(dx + i, CK(activate_back)(CK(load_some)(x + i, rest), CK(load_some)(dy + i, rest), f), rest);
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

static void CK(nesterov)(float *restrict p, const float *restrict g, float *restrict m, size_t n, float rate, float momentum,
                         float decay, float scale) {
    for (size_t i = 0; i < n; i++) {
        const float gradient = scale * g[i] + decay * p[i];
        m[i] = momentum * m[i] + gradient;
        p[i] -= rate * (gradient + momentum * m[i]);
    }
}

static void CK(momentum)(const float *restrict g, float *restrict m, float *restrict ahead, size_t n, float momentum) {
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] + g[i];
        ahead[i] = g[i] + momentum * m[i];
    }
}

static void CK(blend)(const float *x, float *y, size_t n, float a, float b) {
    for (size_t i = 0; i < n; i++) y[i] = a * x[i] + b * y[i];
}
