/* The kernels against their definitions, in C alone, so that they can be run where Swift is not: `make arm64` compiles this
 * and CKernels for arm64 and runs it under qemu-user. Prints the instruction set and the largest error of each kernel;
 * exits with 1 where one is too large. */
#include "ckernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;
static int failures;

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
        ck_transpose(a, m, k, at);
        ck_transpose(b, k, n, bt);
        ck_pack(b, n, k, n, ck_columns(), packed);
        ck_pack(at, m, k, m, CK_PANEL, columns);
        ck_product(m, n, k, a, k, packed, c, n, 0);
        worst = fmax(worst, distance(c, wanted, (size_t)m * n));
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
    static const int sizes[][4] = {{4, 4, 16, 33}, {7, 5, 3, 2}, {9, 16, 17, 16}, {3, 3, 30, 50}, {16, 15, 5, 40}};
    double worst = 0;
    for (int s = 0; s < 5; s++) {
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

static void patches(int k, int pad) {
    const int h = 9, w = 7, c = 3, o = 37, oh = h + 2 * pad - k + 1, ow = w + 2 * pad - k + 1, pixels = oh * ow;
    const ck_patches p = {h, w, c, k, pad};
    float *x = floats((size_t)h * w * c), *f = floats((size_t)k * k * c * o), *dy = floats((size_t)pixels * o);
    float *padded = floats((size_t)(h + 2 * pad) * (w + 2 * pad) * c), *packed = floats((size_t)k * k * c * panels(o, ck_columns()));
    float *right = floats((size_t)pixels * panels(o, ck_columns())), *y = floats((size_t)pixels * o);
    float *dw = floats((size_t)k * k * c * o);
    double *wy = calloc((size_t)pixels * o, sizeof(double)), *wdw = calloc((size_t)k * k * c * o, sizeof(double));
    convolve(x, f, dy, 1, h, w, c, k, pad, o, wy, wdw);
    ck_pack(f, o, k * k * c, o, ck_columns(), packed);
    ck_pack(dy, o, pixels, o, ck_columns(), right);
    memset(dw, 0, (size_t)k * k * c * o * sizeof(float));
    ck_border(x, &p, padded);
    ck_patch_product(padded, &p, 0, pixels, o, packed, y);
    ck_patch_gradient(padded, &p, o, right, dw);
    char name[40];
    snprintf(name, sizeof name, "patches %dx%d", k, k);
    check(name, fmax(distance(y, wy, (size_t)pixels * o), distance(dw, wdw, (size_t)k * k * c * o)), 1e-5);
    free(x), free(f), free(dy), free(padded), free(packed), free(right), free(y), free(dw), free(wy), free(wdw);
}

static void depthwise(int k) {
    const int h = 9, w = 11, c = 37, pad = k / 2;
    const size_t n = (size_t)h * w * c;
    float *x = floats(n), *f = floats((size_t)k * k * c), *dy = floats(n), *y = floats(n), *dw = floats((size_t)k * k * c);
    double *wy = calloc(n, sizeof(double)), *wdw = calloc((size_t)k * k * c, sizeof(double));
    for (int row = 0; row < h; row++)
        for (int col = 0; col < w; col++)
            for (int v = 0; v < k; v++)
                for (int u = 0; u < k; u++) {
                    const int fy = row + v - pad, fx = col + u - pad;
                    if (fy < 0 || fy >= h || fx < 0 || fx >= w) continue;
                    for (int i = 0; i < c; i++) {
                        const size_t to = ((size_t)row * w + col) * c + i, from = ((size_t)fy * w + fx) * c + i;
                        wy[to] += (double)x[from] * (double)f[(v * k + u) * c + i];
                        wdw[(v * k + u) * c + i] += (double)x[from] * (double)dy[to];
                    }
                }
    memset(dw, 0, (size_t)k * k * c * sizeof(float));
    const ck_patches p = {h, w, c, k, pad};
    float *padded = floats((size_t)(h + 2 * pad) * (w + 2 * pad) * c);
    ck_border(x, &p, padded);
    ck_depthwise(padded, f, &p, 0, y);
    ck_depthwise_filters(padded, dy, &p, dw);
    char name[40];
    snprintf(name, sizeof name, "depthwise %dx%d", k, k);
    check(name, fmax(distance(y, wy, n), distance(dw, wdw, (size_t)k * k * c)), 1e-5);
    free(x), free(f), free(dy), free(y), free(dw), free(wy), free(wdw), free(padded);
}

static void activations(void) {
    enum { N = 203 };
    float x[N], y[N], ones[N];
    double wanted[N], slope[N];
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i - N / 2) / 8;
        ones[i] = 1;
        const double s = 1 / (1 + exp(-(double)x[i]));
        wanted[i] = (double)x[i] * s;
        slope[i] = s + (double)x[i] * s * (1 - s);
    }
    const ck_activation silu = {CK_GATE, 1, 0};
    ck_apply_activation(x, y, N, &silu);
    check("SiLU", distance(y, wanted, N), 1e-6);
    ck_apply_activation_back(x, ones, y, N, &silu);
    check("SiLU's derivative", distance(y, slope, N), 1e-6);
    double sum = 0;
    for (int i = 0; i < N; i++) sum += wanted[i] = exp((double)x[i] - (double)x[N - 1]);
    for (int i = 0; i < N; i++) wanted[i] /= sum;
    ck_softmax(x, N, y);
    check("softmax", distance(y, wanted, N), 1e-6);
}

int main(void) {
    printf("instruction set: %s\n", ck_isa());
    products();
    for (int k = 1; k <= 7; k += 2) patches(k, k / 2);
    patches(2, 0);
    patches(2, 1);
    winograd(2, 3, 3e-5);
    winograd(3, 3, 3e-5);
    winograd(4, 3, 3e-5);
    winograd(3, 2, 3e-5);
    winograd(4, 2, 3e-5);
    winograd(2, 5, 3e-5);
    winograd(4, 5, 1e-4);
    for (int k = 1; k <= 7; k += 2) depthwise(k);
    activations();
    printf(failures ? "%d FAILED\n" : "all within bounds\n", failures);
    return failures ? 1 : 0;
}
