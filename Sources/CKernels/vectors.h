/* The vector of an instruction set, in clang's vector extension: included once per instruction set, with CK_LANES floats
 * a vector, and register tiles of CK_ROWS rows by two vectors. */

typedef float CK(vector) __attribute__((vector_size(CK_LANES * 4)));
/* The same where it lies in memory, at any float's address. */
typedef float CK(unaligned) __attribute__((vector_size(CK_LANES * 4), aligned(4), may_alias));
/* As many integers: comparisons, and the bits of floats. */
typedef int32_t CK(integers) __attribute__((vector_size(CK_LANES * 4)));

enum {
    CK(LANES) = CK_LANES,
    /* Columns of a panel of packed right operands: two vectors. */
    CK(COLUMNS) = 2 * CK_LANES,
    /* Rows of a register tile: as many as leave registers for two vectors and a broadcast. */
    CK(ROWS) = CK_ROWS,
};

static inline CK(vector) CK(load)(const float *from) { return *(const CK(unaligned) *)from; }
static inline void CK(store)(float *to, CK(vector) v) { *(CK(unaligned) *)to = v; }

/* The first n lanes, the others 0. */
static inline CK(vector) CK(load_some)(const float *from, int n) {
    CK(vector) v = {0};
    if (n >= CK_LANES) return CK(load)(from);
    for (int i = 0; i < n; i++) v[i] = from[i];
    return v;
}

static inline void CK(store_some)(float *to, CK(vector) v, int n) {
    if (n >= CK_LANES) {
        CK(store)(to, v);
    } else {
        for (int i = 0; i < n; i++) to[i] = v[i];
    }
}

/* Whether rows of c floats from here on may be written by CK(stream). */
static inline int CK(streams)(int wanted, const float *to, int c) {
    return wanted && c % CK_LANES == 0 && ((uintptr_t)to & (CK_LANES * sizeof(float) - 1)) == 0;
}

/* Past the caches, whole vectors at their own alignment: a map that is larger than the caches need not be read into them
 * before it is written. CK(streamed) ends it. */
static inline void CK(stream)(float *to, CK(vector) v) { __builtin_nontemporal_store(v, (CK(vector) *)to); }
static inline void CK(streamed)(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#endif
}

static inline CK(vector) CK(all)(float value) { return value - (CK(vector)){0}; }

/* Where the mask is set (all bits) that, elsewhere 0. */
static inline CK(vector) CK(where)(CK(integers) mask, CK(vector) v) { return (CK(vector))(mask & (CK(integers))v); }

/* e^x for |x| <= 87: 2^n times a polynomial of degree 6 (Taylor on +-ln(2)/2); relative error below 2e-7. */
static inline CK(vector) CK(exponential)(CK(vector) x) {
    /* Adding 1.5 * 2^23 rounds to a whole number, which is then in the low bits. */
    const CK(vector) rounded = x * 1.44269504f + 12582912.0f, n = rounded - 12582912.0f;
    const CK(vector) r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    CK(vector) p = r * (1.0f / 720) + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const CK(integers) power = ((CK(integers))rounded - 0x4b400000 + 127) << 23;
    return p * (CK(vector))power;
}

/* 1 / (1 + e^-x). */
static inline CK(vector) CK(sigmoid)(CK(vector) x) {
    const CK(vector) bounded = __builtin_elementwise_max(__builtin_elementwise_min(-x, CK(all)(87)), CK(all)(-87));
    return 1.0f / (1.0f + CK(exponential)(bounded));
}

/* The larger and the smaller of the two, an instruction each. Not the built-in ones, which would hide what is not a number. */
static inline CK(vector) CK(choose)(CK(integers) mask, CK(vector) a, CK(vector) b) {
    return (CK(vector))((mask & (CK(integers))a) | (~mask & (CK(integers))b));
}
static inline CK(vector) CK(at_least)(CK(vector) x, float limit) { return CK(choose)(CK(all)(limit) > x, CK(all)(limit), x); }
static inline CK(vector) CK(at_most)(CK(vector) x, float limit) { return CK(choose)(CK(all)(limit) < x, CK(all)(limit), x); }

static inline CK(vector) CK(activate)(CK(vector) x, const ck_activation *f) {
    if (f->kind == CK_RELU) return CK(at_least)(x, 0);
    if (f->kind == CK_GATE) return x * CK(sigmoid)(x * (f->linear + f->cubic * x * x));
    if (f->kind == CK_RELU6) return CK(at_most)(CK(at_least)(x, 0), 6);
    if (f->kind == CK_HARD_SWISH) return x * CK(at_most)(CK(at_least)(x + 3, 0), 6) * (1 / 6.0f);
    return x;
}

/* gradient * the derivative of `activate` at x. */
static inline CK(vector) CK(activate_back)(CK(vector) x, CK(vector) gradient, const ck_activation *f) {
    if (f->kind == CK_RELU) return CK(where)(x > CK(all)(0), gradient);
    if (f->kind == CK_GATE) {
        const CK(vector) square = x * x, s = CK(sigmoid)(x * (f->linear + f->cubic * square));
        return gradient * (s + x * s * (1 - s) * (f->linear + 3 * f->cubic * square));
    }
    if (f->kind == CK_RELU6) return CK(where)((x > CK(all)(0)) & (x < CK(all)(6)), gradient);
    if (f->kind == CK_HARD_SWISH) {
        const CK(vector) inside = CK(where)(x > CK(all)(-3), gradient * (x * (1 / 3.0f) + 0.5f));
        const CK(integers) beyond = x >= CK(all)(3);
        return CK(where)(beyond, gradient) + CK(where)(~beyond, inside);
    }
    return gradient;
}

/* What follows a convolution, on channels [i, i + lanes) of c. */
static inline CK(vector) CK(finish)(CK(vector) v, const ck_epilogue *e, int i, int c) {
    if (e->scale) v *= CK(load_some)(e->scale + i, c - i);
    if (e->shift) v += CK(load_some)(e->shift + i, c - i);
    return CK(activate)(v, &e->activation);
}

/* The same for `rows` pairs of vectors of channels [i, i + 2 lanes), with one look at what there is to do. */
static inline __attribute__((always_inline)) void CK(finish_pairs)(CK(vector) v[][2], int rows, const ck_epilogue *e, int i,
                                                                   int c) {
    const int n = c - i, m = n - CK_LANES;
    if (e->scale) {
        const CK(vector) s0 = CK(load_some)(e->scale + i, n), s1 = CK(load_some)(e->scale + i + CK_LANES, m);
        _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) v[r][0] *= s0, v[r][1] *= s1;
    }
    if (e->shift) {
        const CK(vector) s0 = CK(load_some)(e->shift + i, n), s1 = CK(load_some)(e->shift + i + CK_LANES, m);
        _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) v[r][0] += s0, v[r][1] += s1;
    }
    const int kind = e->activation.kind;
    if (kind == CK_RELU6 || kind == CK_RELU) {
        _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) {
            v[r][0] = CK(at_least)(v[r][0], 0);
            v[r][1] = CK(at_least)(v[r][1], 0);
        }
        if (kind == CK_RELU6)
            _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) {
                v[r][0] = CK(at_most)(v[r][0], 6);
                v[r][1] = CK(at_most)(v[r][1], 6);
            }
    } else if (kind != CK_NO_ACTIVATION) {
        const ck_activation f = e->activation;
        for (int r = 0; r < rows; r++) {
            v[r][0] = CK(activate)(v[r][0], &f);
            v[r][1] = CK(activate)(v[r][1], &f);
        }
    }
}
