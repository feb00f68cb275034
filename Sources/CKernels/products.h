/* Matrix products, included once per instruction set.
 *
 * The right operand is packed into panels of CK(COLUMNS) columns: panel after panel, in each the k rows of the panel one
 * behind the other, missing columns 0. The left operand stays where it is. A register tile of CK(ROWS) x CK(COLUMNS)
 * results runs over all of k, so that
 *   - nothing is written before it is finished,
 *   - a result is the same sum in the same order whatever rows stand around it: an image's scores have the same bits in
 *     any batch. */

/* c[CK(ROWS) x CK(COLUMNS)] = (add ? c : 0) + sum over k of a[row][k] * b[k*b_step + column]. Rows beyond `rows` are computed
 * from the first row again and not stored, nor are columns beyond `columns`. */
#define CK_TILE(suffix, STEP, ROW)                                                                                     \
    static inline void CK(tile_##suffix)(int k, const float *a, ptrdiff_t stride, const float *b, ptrdiff_t b_step,    \
                                         float *c, ptrdiff_t ldc, int rows, int columns, int add) {                    \
        CK(vector) sum[CK_ROWS][2];                                                                                    \
        const float *row[CK_ROWS];                                                                                     \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < CK_ROWS; r++) {                                         \
            row[r] = a + (ptrdiff_t)(r < rows ? r : 0) * (ROW);                                                        \
            sum[r][0] = sum[r][1] = (CK(vector)){0};                                                                   \
        }                                                                                                              \
        for (int i = 0; i < k; i++) {                                                                                  \
            const CK(vector) b0 = CK(load)(b + i * b_step), b1 = CK(load)(b + i * b_step + CK_LANES);                  \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < CK_ROWS; r++) {                                     \
                const float value = row[r][(ptrdiff_t)i * (STEP)];                                                     \
                sum[r][0] += value * b0;                                                                               \
                sum[r][1] += value * b1;                                                                               \
            }                                                                                                          \
        }                                                                                                              \
        if (columns == 2 * CK_LANES && rows == CK_ROWS) {                                                              \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < CK_ROWS; r++) {                                     \
                float *to = c + r * ldc;                                                                               \
                CK(store)(to, add ? CK(load)(to) + sum[r][0] : sum[r][0]);                                             \
                CK(store)(to + CK_LANES, add ? CK(load)(to + CK_LANES) + sum[r][1] : sum[r][1]);                       \
            }                                                                                                          \
        } else {                                                                                                       \
            float rest[CK_ROWS][2 * CK_LANES];                                                                         \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < CK_ROWS; r++) {                                     \
                CK(store)(rest[r], sum[r][0]);                                                                         \
                CK(store)(rest[r] + CK_LANES, sum[r][1]);                                                              \
            }                                                                                                          \
            for (int r = 0; r < rows; r++)                                                                             \
                for (int at = 0; at < columns; at++)                                                                   \
                    c[r * ldc + at] = add ? c[r * ldc + at] + rest[r][at] : rest[r][at];                               \
        }                                                                                                              \
    }

/* Left operand by rows: row r at a + r*stride, its elements side by side. */
CK_TILE(rows, 1, stride)
/* Left operand by columns: step i at a + i*stride, the rows side by side. */
CK_TILE(columns, stride, 1)
#undef CK_TILE

/* A panel of the right operand of this many steps stays in the first-level cache. */
enum { CK(STEPS) = 384 };

/* The smaller of the two. */
static inline int CK(least)(int a, int b) { return a < b ? a : b; }

/* Panels of `panel` columns of a k x n matrix whose rows are `ld` apart; missing columns are 0. */
static void CK(pack)(const float *from, ptrdiff_t ld, int k, int n, int panel, float *panels) {
    for (int j = 0; j < n; j += panel) {
        const int columns = CK(least)(panel, n - j);
        float *to = panels + (ptrdiff_t)j * k;
        for (int i = 0; i < k; i++, to += panel) {
            memcpy(to, from + i * ld + j, (size_t)columns * sizeof(float));
            for (int at = columns; at < panel; at++) to[at] = 0;
        }
    }
}

/* c[m x n] = (add ? c : 0) + a[m x k] * b: a's rows `lda` apart, b packed into panels of CK(COLUMNS). */
static void CK(product)(int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, float *c, ptrdiff_t ldc,
                        int add) {
    for (int start = 0; start < k; start += CK(STEPS)) {
        const int steps = CK(least)(CK(STEPS), k - start);
        for (int j = 0; j < n; j += CK(COLUMNS)) {
            const float *panel = b + (ptrdiff_t)j * k + (ptrdiff_t)start * CK(COLUMNS);
            for (int i = 0; i < m; i += CK(ROWS))
                CK(tile_rows)(steps, a + i * lda + start, lda, panel, CK(COLUMNS), c + i * ldc + j, ldc,
                              CK(least)(CK(ROWS), m - i), CK(least)(CK(COLUMNS), n - j), add || start > 0);
        }
    }
}

/* The same with b[k x n] as it is, rows `ldb` apart, or (transposed) b[n x k]: for operands that are used once, such as a
 * matrix of a fully connected layer. Few rows of a read b where it is; for more it is packed panel by panel. */
static void CK(product_once)(int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb,
                             int transposed, float *c, ptrdiff_t ldc) {
    float packed[CK(STEPS) * CK(COLUMNS)] __attribute__((aligned(64)));
    for (int start = 0; start < k; start += CK(STEPS)) {
        const int steps = CK(least)(CK(STEPS), k - start);
        for (int j = 0; j < n; j += CK(COLUMNS)) {
            const int columns = CK(least)(CK(COLUMNS), n - j);
            const float *panel = packed;
            ptrdiff_t step = CK(COLUMNS);
            if (transposed) {
                for (int at = 0; at < CK(COLUMNS); at++) {
                    const float *from = b + (ptrdiff_t)(j + CK(least)(at, columns - 1)) * ldb + start;
                    for (int i = 0; i < steps; i++) packed[i * CK(COLUMNS) + at] = from[i];
                }
            } else if (m <= CK(ROWS) && columns == CK(COLUMNS)) {
                panel = b + (ptrdiff_t)start * ldb + j;
                step = ldb;
            } else {
                CK(pack)(b + (ptrdiff_t)start * ldb + j, ldb, steps, columns, CK(COLUMNS), packed);
            }
            for (int i = 0; i < m; i += CK(ROWS))
                CK(tile_rows)(steps, a + i * lda + start, lda, panel, step, c + i * ldc + j, ldc,
                              CK(least)(CK(ROWS), m - i), columns, start > 0);
        }
    }
}

/* c[m x n] = (add ? c : 0) + aᵀ * b over k steps: a packed into panels of CK_PANEL of its m columns, b into panels of
 * CK(COLUMNS). */
static void CK(product_columns)(int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, int add) {
    for (int j = 0; j < n; j += CK(COLUMNS))
        for (int i = 0; i < m; i += CK(ROWS))
            CK(tile_columns)(k, a + (ptrdiff_t)(i / CK_PANEL) * CK_PANEL * k + i % CK_PANEL, CK_PANEL,
                             b + (ptrdiff_t)j * k, CK(COLUMNS), c + i * ldc + j, ldc, CK(least)(CK(ROWS), m - i),
                             CK(least)(CK(COLUMNS), n - j), add);
}

static int CK(columns)(void) { return CK(COLUMNS); }
