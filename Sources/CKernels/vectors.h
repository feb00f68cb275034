/* The vector of an instruction set, in clang's vector extension: included once per instruction set, with CK_LANES floats
 * a vector, and register tiles of CK_ROWS rows by two vectors. */

typedef float CK(vector) __attribute__((vector_size(CK_LANES * 4)));
/* The same where it lies in memory, at any float's address. */
typedef float CK(unaligned) __attribute__((vector_size(CK_LANES * 4), aligned(4), may_alias));

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
