/* Compiles the kernels once per instruction set and picks a table of functions when the first one is called. */
#include "ckernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
#define CK_MEMBER(result, name, parameters, arguments) result(*name) parameters;
    CK_KERNELS(CK_MEMBER)
#undef CK_MEMBER
} table;

#define CK_JOIN2(name, isa) name##_##isa
#define CK_JOIN(name, isa) CK_JOIN2(name, isa)
#define CK(name) CK_JOIN(name, CK_ISA)
#define CK_ENTRY(result, function, parameters, arguments) .function = CK(function),

#define CK_ISA baseline
#define CK_LANES 4
#if defined(__aarch64__)
#define CK_ROWS 8
#define CK_SOME_ROWS 4
#else
#define CK_ROWS 6
#define CK_SOME_ROWS 4
#endif
#define CK_FEW_ROWS 2
#include "kernels.h"
static const table table_baseline = {
#if defined(__aarch64__)
    .name = "neon",
#else
    .name = "baseline",
#endif
    CK_KERNELS(CK_ENTRY)};
#undef CK_ISA
#undef CK_LANES
#undef CK_ROWS
#undef CK_SOME_ROWS
#undef CK_FEW_ROWS

#if defined(__x86_64__)
#define CK_ISA avx2
#define CK_LANES 8
#define CK_ROWS 6
#define CK_SOME_ROWS 4
#define CK_FEW_ROWS 2
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#include "kernels.h"
#pragma clang attribute pop
static const table table_avx2 = {.name = "avx2", CK_KERNELS(CK_ENTRY)};
#undef CK_ISA
#undef CK_LANES
#undef CK_ROWS
#undef CK_SOME_ROWS
#undef CK_FEW_ROWS

#define CK_ISA avx512
#define CK_LANES 16
#define CK_ROWS 12
#define CK_SOME_ROWS 8
#define CK_FEW_ROWS 4
#define CK_AVX512 "avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl"
#pragma clang attribute push(__attribute__((target(CK_AVX512))), apply_to = function)
#include "kernels.h"
#pragma clang attribute pop
static const table table_avx512 = {.name = "avx512", CK_KERNELS(CK_ENTRY)};
#undef CK_ISA
#endif

static const table *choose(void) {
    const char *forced = getenv("FOVEA_ISA");
    if (forced && !*forced) forced = NULL;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    const table *there[] = {avx512 ? &table_avx512 : NULL, avx2 ? &table_avx2 : NULL, &table_baseline};
#else
    const table *there[] = {&table_baseline};
#endif
    const int count = sizeof there / sizeof *there;
    for (int i = 0; i < count; i++)
        if (there[i] && (!forced || strcmp(forced, there[i]->name) == 0)) return there[i];
    /* What follows would not be what was asked for. */
    fprintf(stderr, "fovea: FOVEA_ISA is '%s', this processor has:", forced);
    for (int i = 0; i < count; i++)
        if (there[i]) fprintf(stderr, " %s", there[i]->name);
    fprintf(stderr, ". Unset it, or name one of these.\n");
    exit(78); /* EX_CONFIG */
}

static _Atomic(const table *) chosen;

static inline const table *kernels(void) {
    const table *now = __c11_atomic_load(&chosen, __ATOMIC_ACQUIRE);
    if (!now) {
        now = choose(); /* two threads may both choose; they choose the same */
        __c11_atomic_store(&chosen, now, __ATOMIC_RELEASE);
    }
    return now;
}

const char *ck_isa(void) { return kernels()->name; }

#define CK_DEFINE(result, name, parameters, arguments)                                                                 \
    result ck_##name parameters { return kernels()->name arguments; }
CK_KERNELS(CK_DEFINE)

float ck_cross_entropy(const float *logits, int n, ck_target target, const ck_loss *loss, float scale, float *gradient,
                       int *best) {
    int top = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[top]) top = i;
    if (best) *best = top;
    const float largest = logits[top];
    double sum = 0, linear = 0, inside[2] = {0, 0};
    const int32_t *group = loss->hierarchy > 0 ? loss->group : NULL;
    const int mine[2] = {group ? group[target.label] : 0, group ? group[target.other] : 0};
    for (int i = 0; i < n; i++) {
        const double e = exp((double)(logits[i] - largest));
        sum += e;
        linear += (double)(logits[i] - largest);
        if (group) {
            if (group[i] == mine[0]) inside[0] += e;
            if (group[i] == mine[1]) inside[1] += e;
        }
    }
    const double log_sum = log(sum), even = (double)loss->smoothing / n, rest = 1.0 - (double)loss->smoothing;
    const double weight[2] = {1.0 - (double)target.share, (double)target.share};
    const double hit = rest * (weight[0] * (double)(logits[target.label] - largest) +
                               weight[1] * (double)(logits[target.other] - largest));
    double result = log_sum - hit - even * linear;
    /* -log of the superclass's share of the sum; its derivative is p, and inside the superclass p - p/share. */
    const double extra = group ? (double)loss->hierarchy : 0;
    if (group)
        for (int k = 0; k < 2; k++)
            if (weight[k] > 0) result += extra * weight[k] * (log_sum - log(inside[k]));
    if (gradient)
        for (int i = 0; i < n; i++) {
            const double e = exp((double)(logits[i] - largest)), p = e / sum;
            double slope = p - even - (i == target.label ? rest * weight[0] : 0) - (i == target.other ? rest * weight[1] : 0);
            if (group) {
                slope += extra * p;
                for (int k = 0; k < 2; k++)
                    if (weight[k] > 0 && group[i] == mine[k]) slope -= extra * weight[k] * e / inside[k];
            }
            gradient[i] = (float)(slope * (double)scale);
        }
    return (float)result;
}

size_t ck_spread_blocks(const uint8_t *seeds, int h, int w, int c, int block, uint8_t *mask) {
    const size_t n = (size_t)h * (size_t)w * (size_t)c;
    memset(mask, 1, n);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int at = 0; at < c; at++) {
                if (seeds[((size_t)y * w + x) * c + at]) continue;
                const int top = y - block / 2, left = x - block / 2;
                for (int v = top < 0 ? 0 : top; v < top + block && v < h; v++)
                    for (int u = left < 0 ? 0 : left; u < left + block && u < w; u++)
                        mask[((size_t)v * w + u) * c + at] = 0;
            }
    size_t ones = 0;
    for (size_t i = 0; i < n; i++) ones += mask[i];
    return ones;
}

void ck_rotate_filters(const float *w, int k, int inputs, int outputs, int first, int last, float *rotated) {
    for (int at = first; at < last; at++) {
        const float *from = w + (size_t)at * inputs * outputs;
        float *to = rotated + (size_t)(k * k - 1 - at) * inputs * outputs;
        for (int i0 = 0; i0 < inputs; i0 += 16)
            for (int o = 0; o < outputs; o++)
                for (int i = i0; i < i0 + 16 && i < inputs; i++)
                    to[(size_t)o * inputs + i] = from[(size_t)i * outputs + o];
    }
}

void ck_transpose(const float *from, int rows, int columns, float *to, int across) {
    for (int top = 0; top < rows; top += 16)
        for (int column = 0; column < columns; column++)
            for (int row = top; row < top + 16 && row < rows; row++)
                to[(size_t)column * across + row] = from[(size_t)row * columns + column];
}
