/* Matrix products, included once per instruction set.
 *
 * The right operand is packed into panels of CK(COLUMNS) columns: panel after panel, in each the k rows of the panel one
 * behind the other, missing columns 0. The left operand stays where it is. A register tile of rows x CK(COLUMNS) results
 * runs over all of k, so that
 *   - nothing is written before it is finished,
 *   - a result is the same sum in the same order whatever rows stand around it: an image's scores have the same bits in
 *     any batch.
 * Tiles come in three heights, since few rows would otherwise cost as much as many. */

/* The rows of a left operand of a register tile: element i of line l of row r is at row[r][l*line + i*step]. */
typedef struct {
    const float *row[CK_ROWS];
    ptrdiff_t step, line;
} CK(left);

/* What becomes of sums: (add ? c : 0) + sum, then the epilogue (may be NULL), of which the tile's first column is channel
 * `channel` of `channels`. */
typedef struct {
    int add;
    const ck_epilogue *epilogue;
    int channel, channels;
} CK(ending);

/* c[rows x columns] = what `ending` makes of the sum over lines and k of left * b. b goes on by b_step with each element. Rows
 * beyond `rows` are computed from the first row again and not stored, nor are columns beyond `columns`. */
#define CK_TILE(HEIGHT)                                                                                                \
    static inline void CK(tile_##HEIGHT)(int lines, int k, const CK(left) *left, const float *b, ptrdiff_t b_step,     \
                                         float *c, ptrdiff_t ldc, int rows, int columns, CK(ending) ending) {          \
        CK(vector) sum[HEIGHT][2];                                                                                     \
        const float *row[HEIGHT];                                                                                      \
        const ptrdiff_t step = left->step;                                                                             \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++) {                                          \
            row[r] = left->row[r < rows ? r : 0];                                                                      \
            sum[r][0] = sum[r][1] = (CK(vector)){0};                                                                   \
        }                                                                                                              \
        for (int l = 0; l < lines; l++) {                                                                              \
            if (step == 1) {                                                                                           \
                for (int i = 0; i < k; i++, b += b_step) {                                                             \
                    const CK(vector) b0 = CK(load)(b), b1 = CK(load)(b + CK_LANES);                                    \
                    _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++) {                              \
                        const float value = row[r][i];                                                                 \
                        sum[r][0] += value * b0;                                                                       \
                        sum[r][1] += value * b1;                                                                       \
                    }                                                                                                  \
                }                                                                                                      \
            } else {                                                                                                   \
                for (int i = 0; i < k; i++, b += b_step) {                                                             \
                    const CK(vector) b0 = CK(load)(b), b1 = CK(load)(b + CK_LANES);                                    \
                    _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++) {                              \
                        const float value = row[r][i * step];                                                          \
                        sum[r][0] += value * b0;                                                                       \
                        sum[r][1] += value * b1;                                                                       \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++) row[r] += left->line;                  \
        }                                                                                                              \
        CK_STORE_TILE(HEIGHT)                                                                                          \
    }

#define CK_STORE_TILE(HEIGHT)                                                                                          \
    if (columns == 2 * CK_LANES && rows == HEIGHT) {                                                                   \
        if (ending.add)                                                                                                \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++) {                                      \
                sum[r][0] = CK(load)(c + r * ldc) + sum[r][0];                                                         \
                sum[r][1] = CK(load)(c + r * ldc + CK_LANES) + sum[r][1];                                              \
            }                                                                                                          \
        if (ending.epilogue) CK(finish_pairs)(sum, HEIGHT, ending.epilogue, ending.channel, ending.channels);          \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++) {                                          \
            CK(store)(c + r * ldc, sum[r][0]);                                                                         \
            CK(store)(c + r * ldc + CK_LANES, sum[r][1]);                                                              \
        }                                                                                                              \
    } else {                                                                                                           \
        CK(vector) rest[HEIGHT][2];                                                                                    \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++) {                                          \
            rest[r][0] = sum[r][0];                                                                                    \
            rest[r][1] = sum[r][1];                                                                                    \
        }                                                                                                              \
        for (int r = 0; r < rows; r++) {                                                                               \
            float *to = c + r * ldc;                                                                                   \
            const int more = columns - CK_LANES;                                                                       \
            CK(vector) end[1][2] = {{rest[r][0], rest[r][1]}};                                                         \
            if (ending.add) {                                                                                          \
                end[0][0] = CK(load_some)(to, columns) + end[0][0];                                                    \
                if (more > 0) end[0][1] = CK(load_some)(to + CK_LANES, more) + end[0][1];                              \
            }                                                                                                          \
            if (ending.epilogue) CK(finish_pairs)(end, 1, ending.epilogue, ending.channel, ending.channels);           \
            CK(store_some)(to, end[0][0], columns);                                                                    \
            if (more > 0) CK(store_some)(to + CK_LANES, end[0][1], more);                                              \
        }                                                                                                              \
    }

/* The same for a left operand packed by columns: step i at a + i*stride, the rows side by side. */
#define CK_COLUMN_TILE(HEIGHT)                                                                                         \
    static inline void CK(columns_##HEIGHT)(int k, const float *a, ptrdiff_t stride, const float *b, float *c,         \
                                            ptrdiff_t ldc, int rows, int columns, CK(ending) ending) {                 \
        CK(vector) sum[HEIGHT][2];                                                                                     \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++)                                            \
            sum[r][0] = sum[r][1] = (CK(vector)){0};                                                                   \
        for (int i = 0; i < k; i++, a += stride, b += 2 * CK_LANES) {                                                  \
            const CK(vector) b0 = CK(load)(b), b1 = CK(load)(b + CK_LANES);                                            \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < HEIGHT; r++) {                                      \
                sum[r][0] += a[r] * b0;                                                                                \
                sum[r][1] += a[r] * b1;                                                                                \
            }                                                                                                          \
        }                                                                                                              \
        CK_STORE_TILE(HEIGHT)                                                                                          \
    }

#define CK_TILES(make) make(CK_ROWS) make(CK_SOME_ROWS) make(CK_FEW_ROWS)
#define CK_TILE1(height) CK_TILE(height)
#define CK_COLUMN_TILE1(height) CK_COLUMN_TILE(height)
CK_TILES(CK_TILE1)
CK_TILES(CK_COLUMN_TILE1)
#define CK_HEIGHT2(kind, height) CK(kind##_##height)
#define CK_HEIGHT(kind, height) CK_HEIGHT2(kind, height)

/* The lowest tile that has the rows. */
static inline void CK(tile)(int lines, int k, const CK(left) *left, const float *b, ptrdiff_t b_step, float *c,
                            ptrdiff_t ldc, int rows, int columns, CK(ending) ending) {
    if (rows > CK_SOME_ROWS) CK_HEIGHT(tile, CK_ROWS)(lines, k, left, b, b_step, c, ldc, rows, columns, ending);
    else if (rows > CK_FEW_ROWS) CK_HEIGHT(tile, CK_SOME_ROWS)(lines, k, left, b, b_step, c, ldc, rows, columns, ending);
    else CK_HEIGHT(tile, CK_FEW_ROWS)(lines, k, left, b, b_step, c, ldc, rows, columns, ending);
}

static inline void CK(tile_columns)(int k, const float *a, ptrdiff_t stride, const float *b, float *c, ptrdiff_t ldc,
                                    int rows, int columns, int add) {
    const CK(ending) ending = {.add = add};
    if (rows > CK_SOME_ROWS) CK_HEIGHT(columns, CK_ROWS)(k, a, stride, b, c, ldc, rows, columns, ending);
    else if (rows > CK_FEW_ROWS) CK_HEIGHT(columns, CK_SOME_ROWS)(k, a, stride, b, c, ldc, rows, columns, ending);
    else CK_HEIGHT(columns, CK_FEW_ROWS)(k, a, stride, b, c, ldc, rows, columns, ending);
}
#undef CK_TILES
#undef CK_TILE1
#undef CK_COLUMN_TILE1
#undef CK_TILE
#undef CK_COLUMN_TILE
#undef CK_STORE_TILE
#undef CK_HEIGHT
#undef CK_HEIGHT2

/* A panel of the right operand of this many steps stays in the first-level cache. */
enum { CK(STEPS) = 384 };

/* The smaller of the two. */
static inline int CK(least)(int a, int b) { return a < b ? a : b; }

/* Rows `stride` apart. */
static inline void CK(rows_from)(CK(left) *left, const float *a, ptrdiff_t stride) {
    for (int r = 0; r < CK_ROWS; r++) left->row[r] = a + r * stride;
}

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

/* c[m x n] = (add ? c : 0) + a[m x k] * b, then the epilogue: a's rows `lda` apart, b packed into panels of CK(COLUMNS). */
static __attribute__((noinline)) void CK(product_any)(int m, int n, int k, const float *a, ptrdiff_t lda, const float *b,
                                                      float *c, ptrdiff_t ldc, int add, const ck_epilogue *epilogue) {
    CK(left) left = {.step = 1};
    for (int start = 0; start < k; start += CK(STEPS)) {
        const int steps = CK(least)(CK(STEPS), k - start);
        for (int j = 0; j < n; j += CK(COLUMNS)) {
            const float *panel = b + (ptrdiff_t)j * k + (ptrdiff_t)start * CK(COLUMNS);
            for (int i = 0; i < m; i += CK(ROWS)) {
                CK(rows_from)(&left, a + i * lda + start, lda);
                CK(tile)(1, steps, &left, panel, CK(COLUMNS), c + i * ldc + j, ldc, CK(least)(CK(ROWS), m - i),
                         CK(least)(CK(COLUMNS), n - j),
                         (CK(ending)){add || start > 0, start + steps == k ? epilogue : NULL, j, n});
            }
        }
    }
}

static void CK(product)(int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, float *c, ptrdiff_t ldc,
                        int add) {
    CK(product_any)(m, n, k, a, lda, b, c, ldc, add, NULL);
}

static void CK(product_finished)(int m, int n, int k, const float *a, ptrdiff_t lda, const float *b,
                                 const ck_epilogue *epilogue, float *c, ptrdiff_t ldc) {
    CK(product_any)(m, n, k, a, lda, b, c, ldc, 0, epilogue);
}

static void CK(product_lines)(int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, float *c,
                              ptrdiff_t ldc) {
    enum { WIDE = 512 };
    for (int row = 0; row < m; row++, a += lda, c += ldc)
        for (int first = 0; first < n; first += WIDE)
            for (int start = 0; start < k; start += CK(STEPS)) {
                float sum[WIDE] __attribute__((aligned(64))) = {0};
                const int wide = CK(least)(WIDE, n - first), end = CK(least)(k, start + CK(STEPS));
                for (int i = start; i < end;) {
                    const float *from = b + (ptrdiff_t)i * ldb + first;
                    int j = 0;
                    if (i + 4 <= end) {
                        const float v0 = a[i], v1 = a[i + 1], v2 = a[i + 2], v3 = a[i + 3];
                        for (; j < wide; j += CK_LANES) {
                            CK(vector) total = CK(load)(sum + j);
                            total += v0 * CK(load_some)(from + j, wide - j);
                            total += v1 * CK(load_some)(from + ldb + j, wide - j);
                            total += v2 * CK(load_some)(from + 2 * ldb + j, wide - j);
                            total += v3 * CK(load_some)(from + 3 * ldb + j, wide - j);
                            CK(store)(sum + j, total);
                        }
                        i += 4;
                    } else {
                        const float value = a[i];
                        for (; j < wide; j += CK_LANES) {
                            CK(vector) total = CK(load)(sum + j);
                            total += value * CK(load_some)(from + j, wide - j);
                            CK(store)(sum + j, total);
                        }
                        i++;
                    }
                }
                for (int j = 0; j < wide; j++) c[first + j] = start > 0 ? c[first + j] + sum[j] : sum[j];
            }
}

/* The same with b[k x n] as it is, rows `ldb` apart, or (transposed) b[n x k]: for operands that are used once, such as a
 * matrix of a fully connected layer. Few rows of a read b where it is; for more it is packed, some panels at a time, since
 * rows of one panel would be short runs far apart. */
static void CK(product_once)(int m, int n, int k, const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb,
                             int transposed, float *c, ptrdiff_t ldc) {
    /* One or two rows: b is read as it lies, some rows at a time, line after line. The order of each sum is that of the tiles. */
    if (m <= 2 && !transposed) {
        CK(product_lines)(m, n, k, a, lda, b, ldb, c, ldc);
        return;
    }
    enum { PANELS = 4 };
    float packed[PANELS * CK(STEPS) * CK(COLUMNS)] __attribute__((aligned(64)));
    CK(left) left = {.step = 1};
    for (int start = 0; start < k; start += CK(STEPS)) {
        const int steps = CK(least)(CK(STEPS), k - start);
        for (int first = 0; first < n; first += PANELS * CK(COLUMNS)) {
            const int wide = CK(least)(PANELS * CK(COLUMNS), n - first);
            const int inPlace = !transposed && m <= CK(ROWS) && wide % CK(COLUMNS) == 0;
            if (transposed) {
                for (int at = 0; at < wide; at++) {
                    const float *from = b + (ptrdiff_t)(first + at) * ldb + start;
                    float *to = packed + (ptrdiff_t)(at / CK(COLUMNS)) * CK(COLUMNS) * steps + at % CK(COLUMNS);
                    for (int i = 0; i < steps; i++) to[i * CK(COLUMNS)] = from[i];
                }
            } else if (!inPlace) {
                CK(pack)(b + (ptrdiff_t)start * ldb + first, ldb, steps, wide, CK(COLUMNS), packed);
            }
            for (int j = 0; j < wide; j += CK(COLUMNS)) {
                const float *panel = inPlace ? b + (ptrdiff_t)start * ldb + first + j : packed + (ptrdiff_t)j * steps;
                for (int i = 0; i < m; i += CK(ROWS)) {
                    CK(rows_from)(&left, a + i * lda + start, lda);
                    CK(tile)(1, steps, &left, panel, inPlace ? ldb : CK(COLUMNS), c + i * ldc + first + j, ldc,
                             CK(least)(CK(ROWS), m - i), CK(least)(CK(COLUMNS), wide - j), (CK(ending)){.add = start > 0});
                }
            }
        }
    }
}

/* c[m x n] = (add ? c : 0) + aᵀ * b over k steps: a packed into panels of CK_PANEL of its m columns, b into panels of
 * CK(COLUMNS). As much of a as stays in the second-level cache meets all of b before the next. */
static void CK(product_columns)(int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, int add) {
    const int block = (120000 / k / CK_PANEL + 1) * CK_PANEL;
    for (int first = 0; first < m; first += block)
        for (int j = 0; j < n; j += CK(COLUMNS))
            for (int i = first; i < CK(least)(m, first + block); i += CK(ROWS))
                CK(tile_columns)(k, a + (ptrdiff_t)(i / CK_PANEL) * CK_PANEL * k + i % CK_PANEL, CK_PANEL,
                                 b + (ptrdiff_t)j * k, c + i * ldc + j, ldc, CK(least)(CK(ROWS), m - i),
                                 CK(least)(CK(COLUMNS), n - j), add);
}

/* c[m x n] = (add ? c : 0) + the sum over pixels of x[pixel x m] * dy[pixel x n], nothing packed. */
static void CK(product_pixels)(int m, int n, int pixels, const float *x, const float *dy, float *c, int add) {
    CK(left) left = {.step = m};
    for (int j = 0; j < n; j += CK(COLUMNS))
        for (int i = 0; i < m; i += CK(ROWS)) {
            CK(rows_from)(&left, x + i, 1);
            CK(tile)(1, pixels, &left, dy + j, n, c + (ptrdiff_t)i * n + j, n, CK(least)(CK(ROWS), m - i), CK(COLUMNS),
                     (CK(ending)){.add = add});
        }
}

/* Columns of a patch. */
static inline int CK(patch_columns)(const ck_patches *p) { return p->columns ? p->columns : p->k; }

/* The part of a map that its patches see, with zeros where they reach beyond it. */
static void CK(border)(const float *x, const ck_patches *p, float *padded) {
    const int high = (p->down - 1) * p->stride + p->k, wide = (p->across - 1) * p->stride + CK(patch_columns)(p);
    const int rows = CK(least)(p->height, high - p->top), columns = CK(least)(p->width, wide - p->left);
    const size_t c = (size_t)p->channels, line = (size_t)wide * c;
    const size_t before = (size_t)p->left * c, inner = (size_t)columns * c, after = line - before - inner;
    memset(padded, 0, line * (size_t)p->top * sizeof(float));
    float *to = padded + line * (size_t)p->top;
    for (int y = 0; y < rows; y++, to += line) {
        memset(to, 0, before * sizeof(float));
        memcpy(to + before, x + (size_t)y * (size_t)p->width * c, inner * sizeof(float));
        memset(to + before + inner, 0, after * sizeof(float));
    }
    memset(to, 0, line * (size_t)(high - p->top - rows) * sizeof(float));
}

/* Output pixels [first, first + rows) of one image: a patch is k runs of columns*channels floats in the map itself. */
static void CK(patch_product)(const float *padded, int wide, const ck_patches *p, int first, int rows, int n,
                              const float *b, const ck_epilogue *epilogue, float *y, ptrdiff_t ldy) {
    const int run = CK(patch_columns)(p) * p->channels;
    CK(left) left = {.step = 1, .line = (ptrdiff_t)wide * p->channels};
    for (int i = 0; i < rows; i += CK(ROWS)) {
        const int present = CK(least)(CK(ROWS), rows - i);
        for (int r = 0; r < present; r++) {
            const int at = first + i + r;
            left.row[r] = padded + ((ptrdiff_t)(at / p->across) * wide + at % p->across) * p->stride * p->channels;
        }
        for (int j = 0; j < n; j += CK(COLUMNS))
            CK(tile)(p->k, run, &left, b + (ptrdiff_t)j * p->k * run, CK(COLUMNS), y + i * ldy + j, ldy, present,
                     CK(least)(CK(COLUMNS), n - j), (CK(ending)){0, epilogue, j, n});
    }
}

/* gradient[k*columns*channels x n] += the sum over all output pixels of one image of patch * dy; dy packed into panels. */
static void CK(patch_gradient)(const float *padded, const ck_patches *p, int n, const float *dy, float *gradient) {
    const int wide = (p->across - 1) * p->stride + CK(patch_columns)(p);
    const int run = CK(patch_columns)(p) * p->channels, m = p->k * run;
    const ptrdiff_t line = (ptrdiff_t)wide * p->channels;
    CK(left) left = {.step = (ptrdiff_t)p->stride * p->channels, .line = p->stride * line};
    for (int j = 0; j < n; j += CK(COLUMNS))
        for (int i = 0; i < m; i += CK(ROWS)) {
            const int present = CK(least)(CK(ROWS), m - i);
            for (int r = 0; r < present; r++) left.row[r] = padded + (ptrdiff_t)((i + r) / run) * line + (i + r) % run;
            CK(tile)(p->down, p->across, &left, dy + (ptrdiff_t)j * p->down * p->across, CK(COLUMNS),
                     gradient + (ptrdiff_t)i * n + j, n, present, CK(least)(CK(COLUMNS), n - j), (CK(ending)){.add = 1});
        }
}

static int CK(columns)(void) { return CK(COLUMNS); }
