/* The kernels against their definitions, in C alone, so that they can be run where Swift is not. `make test` runs it under
 * each instruction set of the machine, `make arm64` under qemu-user. Prints the instruction set and the largest error of each kernel;
 * exits with 1 where one is too large. */
#include "ckernels.h"
#include "ckernels_pixels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;
static int failures;

/* What `pixels` comes to. */
#define PIXELS_HASH 0xa9b8f28752e5a18cu

/* From -1 to 1. */
static float next(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) / (float)(1 << 23) - 1;
}

static float *floats(size_t n) {
    float *p = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64 + 64);
    for (size_t i = 0; i < n; i++) p[i] = next();
    return p;
}

/* The largest difference, relative to the largest value (at least 1). */
static double distance(const float *found, const double *wanted, size_t n) {
    double most = 0, size = 1;
    for (size_t i = 0; i < n; i++) size = fmax(size, fabs(wanted[i]));
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)found[i] - wanted[i]) / size;
        if (!(d <= most)) most = d;
    }
    return most;
}

static void check(const char *name, double error, double allowed) {
    const int good = error <= allowed;
    printf("%-34s %.1e %s\n", name, error, good ? "ok" : "TOO MUCH");
    failures += !good;
}

static int panels(int n, int width) { return (n + width - 1) / width * width; }

static void products(void) {
    static const int sizes[][3] = {{1, 1, 1}, {6, 16, 4}, {14, 64, 33}, {7, 17, 5}, {5, 100, 400}, {13, 33, 800}, {50, 8, 385}, {97, 50, 49}};
    double worst = 0;
    for (int s = 0; s < 8; s++) {
        const int m = sizes[s][0], n = sizes[s][1], k = sizes[s][2], right = panels(n, ck_columns()), left = panels(m, CK_PANEL);
        float *a = floats((size_t)m * k), *b = floats((size_t)k * n), *at = floats((size_t)k * m), *bt = floats((size_t)n * k);
        float *packed = floats((size_t)right * k), *columns = floats((size_t)left * k), *c = floats((size_t)m * n);
        double *wanted = calloc((size_t)m * n, sizeof(double));
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                for (int x = 0; x < k; x++) wanted[i * n + j] += (double)a[i * k + x] * (double)b[x * n + j];
        ck_transpose(a, m, k, at, m);
        /* In two parts, as two threads do it. */
        ck_transpose(b, k / 2, n, bt, k);
        ck_transpose(b + (size_t)(k / 2) * n, k - k / 2, n, bt + k / 2, k);
        ck_pack(b, n, k, n, ck_columns(), packed);
        ck_pack(at, m, k, m, CK_PANEL, columns);
        ck_product(m, n, k, a, k, packed, c, n, 0);
        worst = fmax(worst, distance(c, wanted, (size_t)m * n));
        /* With what follows it, against the same afterwards. */
        float *scale = floats(n), *shift = floats(n), *finished = floats((size_t)m * n);
        static const ck_activation kinds[] = {{CK_NO_ACTIVATION, 0, 0}, {CK_RELU, 0, 0}, {CK_GATE, 1, 0}, {CK_RELU6, 0, 0}, {CK_HARD_SWISH, 0, 0}};
        for (int e = 0; e < 15; e++) {
            const ck_epilogue epilogue = {e / 5 == 1 ? NULL : scale, e / 5 == 2 ? NULL : shift, kinds[e % 5]};
            ck_product(m, n, k, a, k, packed, c, n, 0);
            ck_finish_rows(c, m, n, n, &epilogue);
            ck_product_finished(m, n, k, a, k, packed, &epilogue, finished, n);
            for (int i = 0; i < m * n; i++) worst = fmax(worst, fabs((double)c[i] - (double)finished[i]) / (1 + fabs((double)c[i])));
        }
        free(scale), free(shift), free(finished);
        ck_product_once(m, n, k, a, k, b, n, 0, c, n);
        worst = fmax(worst, distance(c, wanted, (size_t)m * n));
        ck_product_once(m, n, k, a, k, bt, k, 1, c, n);
        worst = fmax(worst, distance(c, wanted, (size_t)m * n));
        ck_product_columns(m, n, k, columns, packed, c, n, 0);
        worst = fmax(worst, distance(c, wanted, (size_t)m * n));
        if (n % ck_columns() == 0) {
            ck_product_pixels(m, n, k, at, b, c, 0);
            worst = fmax(worst, distance(c, wanted, (size_t)m * n));
        }
        free(a), free(b), free(at), free(bt), free(packed), free(columns), free(c), free(wanted);
    }
    check("products", worst, 1e-5);
}

/* One convolution by its definition: outputs, and the gradient of the filters. */
static void convolve(const float *x, const float *w, const float *dy, int count, int h, int width, int c, int k, int pad,
                     int outputs, double *y, double *dw) {
    const int oh = h + 2 * pad - k + 1, ow = width + 2 * pad - k + 1;
    for (int n = 0; n < count; n++)
        for (int row = 0; row < oh; row++)
            for (int col = 0; col < ow; col++)
                for (int v = 0; v < k; v++)
                    for (int u = 0; u < k; u++) {
                        const int fy = row + v - pad, fx = col + u - pad;
                        if (fy < 0 || fy >= h || fx < 0 || fx >= width) continue;
                        for (int i = 0; i < c; i++)
                            for (int o = 0; o < outputs; o++) {
                                const size_t to = (((size_t)n * oh + row) * ow + col) * outputs + o;
                                const size_t from = (((size_t)n * h + fy) * width + fx) * c + i;
                                const size_t at = ((size_t)(v * k + u) * c + i) * outputs + o;
                                y[to] += (double)x[from] * (double)w[at];
                                dw[at] += (double)x[from] * (double)dy[to];
                            }
                    }
}

static void winograd(int m, int k, double allowed) {
    static const int sizes[][4] = {{4, 4, 16, 33}, {7, 5, 3, 2}, {9, 16, 17, 16}, {3, 3, 30, 50}, {16, 15, 5, 40}, {3, 4, 389, 33}};
    double worst = 0;
    for (int s = 0; s < 6; s++) {
        const int h = sizes[s][0], w = sizes[s][1], c = sizes[s][2], o = sizes[s][3], count = 2, pad = k == 2 ? 0 : k / 2;
        const int oh = h + 2 * pad - k + 1, ow = w + 2 * pad - k + 1, a = m + k - 1, points = a * a;
        const int down = (oh + m - 1) / m, across = (ow + m - 1) / m, tiles = count * down * across;
        const int right = panels(o, ck_columns()), left = panels(c, CK_PANEL);
        const ck_wino_map source = {h, w, c, pad, down, across, m, k, 0}, target = {oh, ow, o, 0, down, across, m, k, 1};
        float *x = floats((size_t)count * h * w * c), *f = floats((size_t)k * k * c * o), *dy = floats((size_t)count * oh * ow * o);
        float *u = floats((size_t)points * c * right), *v = floats((size_t)points * tiles * left);
        float *products = floats((size_t)points * tiles * right), *y = floats((size_t)count * oh * ow * o);
        float *dw = floats((size_t)k * k * c * o), *du = floats((size_t)points * c * right);
        double *wy = calloc((size_t)count * oh * ow * o, sizeof(double)), *wdw = calloc((size_t)k * k * c * o, sizeof(double));
        convolve(x, f, dy, count, h, w, c, k, pad, o, wy, wdw);
        ck_wino_filters(f, m, k, c, o, 0, c, u);
        ck_wino_tiles(x, &source, 0, tiles, tiles, 0, v);
        for (int p = 0; p < points; p++)
            ck_product(tiles, o, c, v + (size_t)p * tiles * c, c, u + (size_t)p * c * right, products + (size_t)p * tiles * o, o, 0);
        ck_wino_pixels(products, &target, 0, tiles, tiles, NULL, y);
        worst = fmax(worst, distance(y, wy, (size_t)count * oh * ow * o));
        if (k == 3) {
            /* A tile by itself, its filters transformed on the way: the same bits. */
            const int lanes = ck_columns() / 2, vectors = (o + lanes - 1) / lanes;
            float *single = floats((size_t)points * o), *alone = floats((size_t)points * c);
            float *packed = floats((size_t)9 * c * vectors * lanes);
            for (int p = 0; p < points; p++)
                memcpy(alone + (size_t)p * c, v + ((size_t)p * tiles + tiles - 1) * c, (size_t)c * sizeof(float));
            ck_wino_gather(f, c, o, 0, 1, packed);
            ck_wino_gather(f, c, o, 1, vectors, packed);
            ck_wino_single(packed, m, c, o, 0, vectors / 2, alone, single);
            ck_wino_single(packed, m, c, o, vectors / 2, vectors, alone, single);
            for (int p = 0; p < points; p++)
                if (memcmp(single + (size_t)p * o, products + ((size_t)p * tiles + tiles - 1) * o, (size_t)o * sizeof(float)))
                    worst = 1;
            free(single), free(alone), free(packed);
        }
        ck_wino_tiles(x, &source, 0, tiles, tiles, CK_PANEL, v);
        ck_wino_pixels_back(dy, &target, 0, tiles, products);
        for (int p = 0; p < points; p++)
            ck_product_columns(c, o, tiles, v + (size_t)p * tiles * left, products + (size_t)p * tiles * right,
                               du + (size_t)p * c * right, right, 0);
        ck_wino_filters_back(du, m, k, c, o, 0, c, dw);
        worst = fmax(worst, distance(dw, wdw, (size_t)k * k * c * o));
        free(x), free(f), free(dy), free(u), free(v), free(products), free(y), free(dw), free(du), free(wy), free(wdw);
    }
    char name[40];
    snprintf(name, sizeof name, "Winograd F(%dx%d, %dx%d)", m, m, k, k);
    check(name, worst, allowed);
}

/* Patches of a map of h x w, `before` of whose zeros come first, `after` after it. */
static ck_patches make_patches(int h, int w, int c, int k, int stride, int before, int after) {
    const ck_patches p = {h, w, c, k, 0, stride, before, before, (h + before + after - k) / stride + 1, (w + before + after - k) / stride + 1};
    return p;
}

/* A convolution by its definition, of one map: outputs, the gradient of the filters, and that of the map. */
static void convolve_patches(const float *x, const float *w, const float *dy, const ck_patches *p, int outputs, double *y,
                             double *dw, double *dx) {
    const int columns = p->columns ? p->columns : p->k, c = p->channels;
    for (int row = 0; row < p->down; row++)
        for (int col = 0; col < p->across; col++)
            for (int v = 0; v < p->k; v++)
                for (int u = 0; u < columns; u++) {
                    const int fy = row * p->stride + v - p->top, fx = col * p->stride + u - p->left;
                    if (fy < 0 || fy >= p->height || fx < 0 || fx >= p->width) continue;
                    for (int i = 0; i < c; i++) {
                        const size_t from = ((size_t)fy * p->width + fx) * c + i;
                        /* No outputs: each channel by itself. */
                        for (int o = 0; o < (outputs ? outputs : 1); o++) {
                            const size_t at = outputs ? ((size_t)(v * columns + u) * c + i) * outputs + o : (size_t)(v * columns + u) * c + i;
                            const size_t to = ((size_t)row * p->across + col) * (outputs ? outputs : c) + (outputs ? o : i);
                            y[to] += (double)x[from] * (double)w[at];
                            dw[at] += (double)x[from] * (double)dy[to];
                            dx[from] += (double)w[at] * (double)dy[to];
                        }
                    }
                }
}

static void patches(int k, int columns, int stride, int before, int after) {
    const int h = 9, w = 8, c = 3, o = 37;
    ck_patches p = make_patches(h, w, c, k, stride, before, after);
    if (columns != k) {
        p.columns = columns;
        p.across = (w + before + after - columns) / stride + 1;
    }
    const int pixels = p.down * p.across, high = (p.down - 1) * stride + k, wide = (p.across - 1) * stride + columns, apart = o + 3;
    float *x = floats((size_t)h * w * c), *f = floats((size_t)k * columns * c * o), *dy = floats((size_t)pixels * o);
    float *padded = floats((size_t)high * wide * c), *packed = floats((size_t)k * columns * c * panels(o, ck_columns()));
    float *right = floats((size_t)pixels * panels(o, ck_columns())), *y = floats((size_t)pixels * o);
    float *loose = floats((size_t)pixels * apart), *dw = floats((size_t)k * columns * c * o);
    double *wy = calloc((size_t)pixels * o, sizeof(double)), *wdw = calloc((size_t)k * columns * c * o, sizeof(double));
    double *wdx = calloc((size_t)h * w * c, sizeof(double));
    convolve_patches(x, f, dy, &p, o, wy, wdw, wdx);
    ck_pack(f, o, k * columns * c, o, ck_columns(), packed);
    ck_pack(dy, o, pixels, o, ck_columns(), right);
    memset(dw, 0, (size_t)k * columns * c * o * sizeof(float));
    ck_border(x, &p, padded);
    /* In two parts, as two threads do it, with rows that are apart. */
    const int part = pixels / 3;
    ck_patch_product(padded, wide, &p, 0, part, o, packed, NULL, loose, apart);
    ck_patch_product(padded, wide, &p, part, pixels - part, o, packed, NULL, loose + (size_t)part * apart, apart);
    for (int i = 0; i < pixels; i++) memcpy(y + (size_t)i * o, loose + (size_t)i * apart, o * sizeof(float));
    ck_patch_gradient(padded, &p, o, right, dw);
    char name[40];
    snprintf(name, sizeof name, "patches %dx%d, stride %d, %d before", k, columns, stride, before);
    check(name, fmax(distance(y, wy, (size_t)pixels * o), distance(dw, wdw, (size_t)k * columns * c * o)), 1e-5);
    free(x), free(f), free(dy), free(padded), free(packed), free(right), free(y), free(loose), free(dw);
    free(wy), free(wdw), free(wdx);
}

static void depthwise(int k, int stride, int before, int after) {
    static const int sizes[][3] = {{9, 11, 37}, {7, 7, 16}, {8, 14, 64}, {1, 2, 3}, {12, 30, 9}};
    double worst = 0;
    for (int s = 0; s < 5; s++) {
        const int h = sizes[s][0], w = sizes[s][1], c = sizes[s][2];
        if (h + before + after < k || w + before + after < k) continue;
        const ck_patches p = make_patches(h, w, c, k, stride, before, after);
        const size_t from = (size_t)h * w * c, to = (size_t)p.down * p.across * c, taps = (size_t)k * k * c;
        float *x = floats(from), *f = floats(taps), *dy = floats(to), *y = floats(to), *dw = floats(taps), *dx = floats(from);
        float *scale = floats(c), *shift = floats(c);
        double *wy = calloc(to, sizeof(double)), *wdw = calloc(taps, sizeof(double)), *wdx = calloc(from, sizeof(double));
        convolve_patches(x, f, dy, &p, 0, wy, wdw, wdx);
        memset(dw, 0, taps * sizeof(float));
        /* In two parts, as two threads do it. */
        const int half = p.down / 2;
        ck_depthwise(x, f, &p, 0, half, NULL, y);
        ck_depthwise(x, f, &p, half, p.down, NULL, y);
        worst = fmax(worst, distance(y, wy, to));
        ck_depthwise_filters(x, dy, &p, 0, half, dw);
        ck_depthwise_filters(x, dy, &p, half, p.down, dw);
        worst = fmax(worst, distance(dw, wdw, taps));
        ck_depthwise_back(dy, f, &p, 0, h / 2, dx);
        ck_depthwise_back(dy, f, &p, h / 2, h, dx);
        worst = fmax(worst, distance(dx, wdx, from));
        const ck_epilogue epilogue = {scale, shift, {CK_RELU6, 0, 0}};
        ck_depthwise(x, f, &p, 0, p.down, &epilogue, y);
        for (size_t i = 0; i < to; i++)
            wy[i] = fmin(6, fmax(0, wy[i] * (double)scale[i % c] + (double)shift[i % c]));
        worst = fmax(worst, distance(y, wy, to));
        free(x), free(f), free(dy), free(y), free(dw), free(dx), free(scale), free(shift), free(wy), free(wdw), free(wdx);
    }
    char name[40];
    snprintf(name, sizeof name, "depthwise %dx%d, stride %d, %d before", k, k, stride, before);
    check(name, worst, 1e-5);
}

static void rotated(void) {
    const int k = 3, inputs = 5, outputs = 19;
    float *w = floats((size_t)k * k * inputs * outputs), *r = floats((size_t)k * k * inputs * outputs);
    int wrong = 0;
    /* In two parts, as threads do it. */
    ck_rotate_filters(w, k, inputs, outputs, 0, 4, r);
    ck_rotate_filters(w, k, inputs, outputs, 4, k * k, r);
    for (int at = 0; at < k * k; at++)
        for (int i = 0; i < inputs; i++)
            for (int o = 0; o < outputs; o++)
                wrong += r[(at * outputs + o) * inputs + i] != w[((k * k - 1 - at) * inputs + i) * outputs + o];
    check("rotated filters", wrong, 0);
    free(w), free(r);
}

static void blocks(void) {
    enum { H = 9, W = 7, C = 5, BLOCK = 3 };
    uint8_t seeds[H * W * C], mask[H * W * C];
    for (int i = 0; i < H * W * C; i++) seeds[i] = next() > -0.9f;
    const size_t ones = ck_spread_blocks(seeds, H, W, C, BLOCK, mask);
    size_t wrong = 0, counted = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < C; c++) {
                int kept = 1;
                for (int v = y - BLOCK / 2; v <= y + BLOCK / 2; v++)
                    for (int u = x - BLOCK / 2; u <= x + BLOCK / 2; u++)
                        if (v >= 0 && v < H && u >= 0 && u < W && !seeds[(v * W + u) * C + c]) kept = 0;
                counted += (size_t)kept;
                wrong += mask[(y * W + x) * C + c] != kept;
            }
    check("blocks of DropBlock", (double)(wrong + (ones != counted)), 0);
}

/* The derivative of the loss is the difference that a small step makes. */
static void cross_entropy(void) {
    enum { N = 7 };
    const int32_t groups[N] = {0, 0, 0, 1, 1, 2, 2};
    const ck_target target = {.label = 2, .other = 5, .share = 0.25f};
    double worst = 0;
    for (int h = 0; h < 2; h++) {
        const ck_loss loss = {.smoothing = 0.1f, .hierarchy = h ? 0.5f : 0, .group = groups};
        float x[N], g[N];
        int best, wanted = 0;
        for (int i = 0; i < N; i++) {
            x[i] = 2 * next();
            if (x[i] > x[wanted]) wanted = i;
        }
        ck_cross_entropy(x, N, target, &loss, 1, g, &best);
        worst = fmax(worst, best == wanted ? 0 : 1);
        for (int i = 0; i < N; i++) {
            const float before = x[i];
            x[i] = before + 0.01f;
            const double up = (double)ck_cross_entropy(x, N, target, &loss, 1, NULL, NULL);
            x[i] = before - 0.01f;
            const double down = (double)ck_cross_entropy(x, N, target, &loss, 1, NULL, NULL);
            x[i] = before;
            worst = fmax(worst, fabs((up - down) / 0.02 - (double)g[i]));
        }
    }
    check("cross-entropy", worst, 1e-3);
}

/* f(x) and its derivative, by the definition. */
static double activated(const ck_activation *f, double x) {
    if (f->kind == CK_RELU) return x > 0 ? x : 0;
    if (f->kind == CK_RELU6) return fmin(6, fmax(0, x));
    if (f->kind == CK_HARD_SWISH) return x * fmin(6, fmax(0, x + 3)) / 6;
    if (f->kind == CK_GATE) return x / (1 + exp(-x * (f->linear + f->cubic * x * x)));
    return x;
}

static double slope(const ck_activation *f, double x) {
    if (f->kind == CK_RELU) return x > 0;
    if (f->kind == CK_RELU6) return x > 0 && x < 6;
    if (f->kind == CK_HARD_SWISH) return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5;
    if (f->kind == CK_GATE) {
        const double s = 1 / (1 + exp(-x * (f->linear + f->cubic * x * x)));
        return s + x * s * (1 - s) * (f->linear + 3 * f->cubic * x * x);
    }
    return 1;
}

static const ck_activation kinds[] = {{CK_NO_ACTIVATION, 0, 0}, {CK_RELU, 0, 0}, {CK_GATE, 1, 0}, {CK_GATE, 1.5957691f, 0.0713548f},
                                      {CK_RELU6, 0, 0}, {CK_HARD_SWISH, 0, 0}};
enum { KINDS = sizeof kinds / sizeof *kinds };
static const int channels[] = {1, 3, 17, 37, 64};

/* Sums over the rows, what is applied to each row, and both passes back. */
static void norms(void) {
    double sums = 0, rows = 0, back = 0;
    for (int t = 0; t < 5; t++)
        for (int a = 0; a < KINDS; a++) {
            const int c = channels[t], n = 133;
            const size_t size = (size_t)n * c;
            float *x = floats(size), *dy = floats(size), *y = floats(size), *scale = floats(c), *shift = floats(c), *mean = floats(c);
            float *b = floats(c), *d = floats(c), *wide = floats((size_t)n * (c + 5));
            double *wanted = calloc(size, sizeof(double)), *found = calloc(2 * c, sizeof(double)), *exact = calloc(2 * c, sizeof(double));
            const ck_norm norm = {scale, shift, mean, kinds[a]};
            for (size_t i = 0; i < size; i++) {
                exact[i % c] += (double)x[i];
                exact[c + i % c] += (double)x[i] * (double)x[i];
            }
            ck_moments(x, n, c, found, found + c);
            for (int i = 0; i < 2 * c; i++) sums = fmax(sums, fabs(found[i] - exact[i]) / n);

            for (int added = 0; added < 2; added++) {
                for (size_t i = 0; i < size; i++)
                    wanted[i] = activated(&kinds[a], (double)x[i] * (double)scale[i % c] + (double)shift[i % c]) + (added ? (double)dy[i] : 0);
                ck_affine(x, added ? dy : NULL, y, n, c, scale, shift, &kinds[a], added);
                rows = fmax(rows, distance(y, wanted, size));
            }
            const ck_epilogue epilogue = {scale, shift, kinds[a]};
            for (int i = 0; i < n; i++) memcpy(wide + (size_t)i * (c + 5), x + (size_t)i * c, c * sizeof(float));
            ck_finish_rows(wide, n, c, c + 5, &epilogue);
            for (int i = 0; i < n; i++) memcpy(y + (size_t)i * c, wide + (size_t)i * (c + 5), c * sizeof(float));
            for (size_t i = 0; i < size; i++) wanted[i] -= (double)dy[i];
            rows = fmax(rows, distance(y, wanted, size));

            memset(found, 0, 2 * c * sizeof(double));
            memset(exact, 0, 2 * c * sizeof(double));
            for (size_t i = 0; i < size; i++) {
                const int k = (int)(i % c);
                const double g = (double)dy[i] * slope(&kinds[a], (double)(x[i] * scale[k] + shift[k]));
                exact[k] += g;
                exact[c + k] += g * ((double)x[i] - (double)mean[k]);
                wanted[i] = (double)mean[k] * g + (double)b[k] * (double)x[i] + (double)d[k];
            }
            ck_norm_sums(x, dy, n, c, &norm, found, found + c);
            for (int i = 0; i < 2 * c; i++) back = fmax(back, fabs(found[i] - exact[i]) / n);
            ck_norm_apply(x, dy, y, n, c, &norm, mean, b, d, a & 1);
            back = fmax(back, distance(y, wanted, size));
            free(x), free(dy), free(y), free(scale), free(shift), free(mean), free(b), free(d), free(wide);
            free(wanted), free(found), free(exact);
        }
    check("sums over rows", sums, 1e-6);
    check("scale, shift and activation", rows, 1e-5);
    check("batch norm backwards", back, 1e-5);
}

/* Maxima of k x k windows, two apart; those of 3 begin where TensorFlow has them or, `symmetric`, where PyTorch does. */
static void pools(int k, int symmetric) {
    static const int sides[][2] = {{8, 8}, {7, 9}, {2, 3}, {5, 4}};
    double worst = 0;
    for (int t = 0; t < 5; t++)
        for (int s = 0; s < 4; s++) {
            const int h = sides[s][0], w = sides[s][1], c = channels[t];
            const int oh = k == 2 ? h / 2 : (h + 1) / 2, ow = k == 2 ? w / 2 : (w + 1) / 2;
            const int top = k == 3 && (symmetric || h % 2), start = k == 3 && (symmetric || w % 2);
            const size_t size = (size_t)h * w * c, out = (size_t)oh * ow * c;
            float *x = floats(size), *y = floats(out), *dy = floats(out), *dx = floats(size);
            uint8_t *which = calloc(out, 1);
            double *wanted = calloc(out, sizeof(double)), *back = calloc(size, sizeof(double));
            for (int row = 0; row < oh; row++)
                for (int col = 0; col < ow; col++)
                    for (int i = 0; i < c; i++) {
                        const size_t to = ((size_t)row * ow + col) * c + i;
                        double most = -INFINITY;
                        size_t at = 0;
                        for (int v = 0; v < k; v++)
                            for (int u = 0; u < k; u++) {
                                const int fy = 2 * row - top + v, fx = 2 * col - start + u;
                                if (fy < 0 || fy >= h || fx < 0 || fx >= w) continue;
                                const size_t from = ((size_t)fy * w + fx) * c + i;
                                if ((double)x[from] > most) most = (double)x[from], at = from;
                            }
                        wanted[to] = most;
                        back[at] += (double)dy[to];
                    }
            for (int remembered = 0; remembered < 2; remembered++) {
                memset(y, 0, out * sizeof(float));
                if (k == 2) ck_maxpool(x, h, w, c, y, remembered ? which : NULL);
                else ck_maxpool3(x, h, w, c, top, start, y, remembered ? which : NULL);
                worst = fmax(worst, distance(y, wanted, out));
            }
            for (int stream = 0; stream < 2; stream++) {
                if (k == 2) ck_maxpool_back(dy, which, h, w, c, dx, stream);
                else ck_maxpool3_back(dy, which, h, w, c, top, start, dx, stream);
                worst = fmax(worst, distance(dx, back, size));
            }
            free(x), free(y), free(dy), free(dx), free(which), free(wanted), free(back);
        }
    check(k == 2 ? "maximum 2x2" : symmetric ? "maximum 3x3, symmetric" : "maximum 3x3", worst, 1e-6);
}

/* Means of windows, and of the whole map. */
static void means(void) {
    static const int windows[][2] = {{2, 2}, {3, 2}, {3, 1}, {7, 1}};
    double worst = 0;
    for (int t = 0; t < 5; t++)
        for (int s = 0; s < 4; s++) {
            const int h = 7, w = 9, c = channels[t], k = windows[s][0];
            ck_patches p = make_patches(h, w, c, k, windows[s][1], 0, 0);
            if (k == h) p.columns = w, p.across = 1;
            const int columns = k == h ? w : k;
            const size_t from = (size_t)h * w * c, to = (size_t)p.down * p.across * c, taps = (size_t)k * columns * c;
            float *x = floats(from), *dy = floats(to), *y = floats(to), *dx = floats(from), *f = floats(taps);
            double *wy = calloc(to, sizeof(double)), *wdw = calloc(taps, sizeof(double)), *wdx = calloc(from, sizeof(double));
            for (size_t i = 0; i < taps; i++) f[i] = 1 / (float)(k * columns);
            convolve_patches(x, f, dy, &p, 0, wy, wdw, wdx);
            ck_mean_pool(x, &p, y);
            ck_mean_pool_back(dy, &p, dx);
            worst = fmax(worst, fmax(distance(y, wy, to), distance(dx, wdx, from)));
            free(x), free(dy), free(y), free(dx), free(f), free(wy), free(wdw), free(wdx);
        }
    check("means of windows", worst, 1e-6);
}

static void global_pool(void) {
    double worst = 0;
    for (int t = 0; t < 5; t++) {
        const int c = channels[t], pixels = 9;
        float *x = floats((size_t)pixels * c), *y = floats(c), *dx = floats((size_t)pixels * c);
        int32_t *which = calloc(c, sizeof(int32_t));
        double *wanted = calloc(c, sizeof(double)), *back = calloc((size_t)pixels * c, sizeof(double));
        ck_global_pool(x, pixels, c, y, which);
        for (int i = 0; i < c; i++) {
            int at = 0;
            double sum = 0;
            for (int p = 0; p < pixels; p++) {
                sum += (double)x[p * c + i];
                if (x[p * c + i] > x[at * c + i]) at = p;
            }
            wanted[i] = (double)x[at * c + i] + sum / pixels;
            for (int p = 0; p < pixels; p++) back[p * c + i] = (double)y[i] * ((p == at) + 1.0 / pixels);
        }
        worst = fmax(worst, distance(y, wanted, c));
        ck_global_pool_back(y, which, pixels, c, dx);
        worst = fmax(worst, distance(dx, back, (size_t)pixels * c));
        free(x), free(y), free(dx), free(which), free(wanted), free(back);
    }
    check("global maximum and mean", worst, 1e-6);
}

/* What runs over weights: one after the other, from the same start. */
static void optimizers(void) {
    enum { N = 1027 };
    float *p = floats(N), *g = floats(N), *m = floats(N), *v = floats(N), *ahead = floats(N), *copy = floats(N);
    static double wp[N], wm[N], wv[N], wa[N];
    double worst = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        v[i] = fabsf(v[i]);
        squares += (double)g[i] * (double)g[i];
        wm[i] = 0.9 * (double)m[i] + 0.1 * 0.5 * (double)g[i];
        wv[i] = 0.99 * (double)v[i] + 0.01 * 0.25 * (double)g[i] * (double)g[i];
        wp[i] = (double)p[i] - 0.01 * (double)p[i] - 0.02 * wm[i] / (sqrt(wv[i]) * 1.5 + 1e-3);
    }
    check("sum of squares", fabs(ck_sum_squares(g, N) - squares) / squares, 1e-6);
    const ck_adam_settings adam = {.step = 0.02f, .root = 1.5f, .epsilon = 1e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .decay = 0.01f, .scale = 0.5f};
    ck_adam(p, g, m, v, N, &adam);
    worst = fmax(distance(p, wp, N), fmax(distance(m, wm, N), distance(v, wv, N)));
    check("Adam", worst, 1e-5);

    for (int i = 0; i < N; i++) {
        const double slope = 0.5 * (double)g[i] + 0.01 * (double)p[i];
        wm[i] = 0.9 * (double)m[i] + slope;
        wp[i] = (double)p[i] - 0.1 * (slope + 0.9 * wm[i]);
    }
    ck_nesterov(p, g, m, N, 0.1f, 0.9f, 0.01f, 0.5f);
    check("Nesterov", fmax(distance(p, wp, N), distance(m, wm, N)), 1e-5);

    for (int i = 0; i < N; i++) {
        wm[i] = 0.6 * (double)m[i] + (double)g[i];
        wa[i] = (double)g[i] + 0.6 * wm[i];
    }
    ck_momentum(g, m, ahead, N, 0.6f);
    check("momentum", fmax(distance(ahead, wa, N), distance(m, wm, N)), 1e-5);

    for (int i = 0; i < N; i++) wa[i] = 0.3 * (double)p[i] + 0.7 * (double)g[i];
    memcpy(copy, g, N * sizeof(float));
    ck_blend(p, copy, N, 0.3f, 0.7f);
    worst = distance(copy, wa, N);
    for (int i = 0; i < N; i++) wa[i] = (double)p[i] + (double)g[i];
    ck_sum(p, g, copy, N);
    worst = fmax(worst, distance(copy, wa, N));
    for (int i = 0; i < N; i++) wa[i] = (double)copy[i] + (double)g[i];
    ck_add(g, copy, N);
    worst = fmax(worst, distance(copy, wa, N));
    check("sums of vectors", worst, 1e-6);

    static uint8_t mask[N];
    const size_t ones = ck_mask(mask, N, 7, 3000000000u);
    size_t counted = 0;
    for (int i = 0; i < N; i++) counted += mask[i];
    check("mask", ones == counted ? fabs((double)ones / N - 3e9 / 4294967296.0) : 1, 0.06);
    for (int i = 0; i < N; i++) wa[i] = mask[i] ? 1.25 * (double)copy[i] : 0;
    ck_masked_scale(copy, mask, N, 1.25f);
    check("masked scale", distance(copy, wa, N), 1e-6);
    free(p), free(g), free(m), free(v), free(ahead), free(copy);
}

static void activations(void) {
    enum { N = 203 };
    float x[N], y[N], ones[N];
    double wanted[N], slopes[N];
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i - N / 2) / 8;
        ones[i] = 1;
    }
    static const char *names[] = {"none", "ReLU", "SiLU", "GELU", "ReLU6", "hard-swish"};
    for (int a = 1; a < KINDS; a++) {
        for (int i = 0; i < N; i++) {
            wanted[i] = activated(&kinds[a], (double)x[i]);
            slopes[i] = slope(&kinds[a], (double)x[i]);
        }
        ck_apply_activation(x, y, N, &kinds[a]);
        check(names[a], distance(y, wanted, N), 1e-6);
        ck_apply_activation_back(x, ones, y, N, &kinds[a]);
        check("its derivative", distance(y, slopes, N), 2e-6);
    }
    /* What is not a number stays so. */
    x[3] = NAN;
    int numbers = 0;
    for (int a = 1; a < KINDS; a++) {
        ck_apply_activation(x, y, N, &kinds[a]);
        numbers += !isnan(y[3]);
    }
    check("what is not a number", numbers, 0);
    x[3] = 0;
    double sum = 0;
    for (int i = 0; i < N; i++) sum += wanted[i] = exp((double)x[i] - (double)x[N - 1]);
    for (int i = 0; i < N; i++) wanted[i] /= sum;
    ck_softmax(x, N, y);
    check("softmax", distance(y, wanted, N), 1e-6);
}

/* FNV-1a of bytes. */
static uint64_t hash(const uint8_t *bytes, size_t n) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

/* Filters on bytes: against their definition in whole numbers, and where floats are in it against the one result that they
 * shall have on every machine. */
static void pixels(void) {
    static const int sizes[][2] = {{1, 1}, {2, 3}, {5, 1}, {9, 17}, {32, 32}};
    static const int binomial[5] = {1, 4, 6, 4, 1};
    size_t wrong = 0;
    uint64_t sum = 0;
    state = 1;
    for (int s = 0; s < 5; s++) {
        const int h = sizes[s][0], w = sizes[s][1], n = h * w * 3;
        uint8_t *in = malloc((size_t)n), *out = malloc((size_t)n), *other = malloc((size_t)n);
        uint16_t *scratch = malloc(ck_unsharp_scratch(w) * sizeof(uint16_t));
        float *room = malloc(ck_filter_scratch(w, 5) * sizeof(float)), kernel[25], *looked = malloc((size_t)n * sizeof(float));
        float table[768];
        for (int i = 0; i < n; i++) in[i] = (uint8_t)((next() + 1) * 127.9f);
        for (int i = 0; i < 25; i++) kernel[i] = (float)((i == 12 ? 512 : 0) - binomial[i / 5] * binomial[i % 5]) / 256.0f;
        for (int i = 0; i < 768; i++) table[i] = (float)i * 0.5f;
        ck_unsharp(in, out, h, w, scratch);
        for (int i = 0; i < n; i++) {
            const int y = i / 3 / w, x = i / 3 % w;
            int value = 512 * in[i];
            for (int v = 0; v < 5; v++)
                for (int u = 0; u < 5; u++)
                    value -= binomial[v] * binomial[u] *
                             in[(ck_reflect101(y + v - 2, h) * w + ck_reflect101(x + u - 2, w)) * 3 + i % 3];
            const double exact = rint(value / 256.0);
            wrong += out[i] != (exact < 0 ? 0 : exact > 255 ? 255 : exact);
        }
        ck_unsharp_amount(in, other, h, w, 1.0f, scratch);
        wrong += memcmp(out, other, (size_t)n) != 0;
        ck_filter_rgb8(in, other, h, w, kernel, 5, room);
        wrong += memcmp(out, other, (size_t)n) != 0;
        ck_lookup_rgb8(in, looked, (size_t)(h * w), table);
        for (int i = 0; i < n; i++) wrong += looked[i] != (float)(i % 3 * 256 + in[i]) * 0.5f;
        ck_unsharp_amount(in, other, h, w, 0.7f, scratch);
        sum ^= hash(other, (size_t)n);
        for (int i = 0; i < 25; i++) kernel[i] = 0.03f * (float)i - 0.3f;
        ck_filter_rgb8(in, other, h, w, kernel, 5, room);
        sum ^= hash(other, (size_t)n) * 3;
        free(in), free(out), free(other), free(scratch), free(room), free(looked);
    }
    check("sharpening, filters, tables", (double)wrong, 0);
    if (sum != PIXELS_HASH) printf("hash %llx\n", (unsigned long long)sum);
    check("the same bits on every machine", sum != PIXELS_HASH, 0);
}

int main(void) {
    printf("instruction set: %s\n", ck_isa());
    products();
    for (int k = 1; k <= 7; k += 2)
        for (int stride = 1; stride <= 2; stride++) patches(k, k, stride, k / 2, k / 2);
    patches(2, 2, 1, 0, 0);
    patches(2, 2, 1, 1, 1);
    patches(3, 3, 2, 0, 1);
    patches(2, 1, 1, 1, 0);
    patches(3, 4, 1, 1, 2);
    winograd(2, 3, 3e-5);
    winograd(3, 3, 3e-5);
    winograd(4, 3, 3e-5);
    winograd(3, 2, 3e-5);
    winograd(4, 2, 3e-5);
    winograd(2, 5, 3e-5);
    winograd(4, 5, 1e-4);
    for (int k = 1; k <= 7; k += 2)
        for (int stride = 1; stride <= 2; stride++) {
            depthwise(k, stride, k / 2, k / 2);
            if (k > 1) depthwise(k, stride, k / 2 - 1, k / 2);
        }
    depthwise(5, 1, 0, 0);
    rotated();
    blocks();
    cross_entropy();
    norms();
    pixels();
    pools(2, 0);
    pools(3, 0);
    pools(3, 1);
    means();
    global_pool();
    optimizers();
    activations();
    printf(failures ? "%d FAILED\n" : "all within bounds\n", failures);
    return failures ? 1 : 0;
}
