/* Winograd convolutions (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks"), included once per
 * instruction set: SAME, stride 1, m x m pixels of the output at a time from a = m + k - 1 pixels of the input each way.
 *
 *   F(2x2, 3x3)  a = 4, points 0, 1, -1, infinity            for maps of 2 x 2
 *   F(3x3, 3x3)  a = 5, points 0, 1, -1, 2, infinity         for maps whose sides are multiples of 3
 *   F(4x4, 3x3)  a = 6, points 0, 1, -1, 2, -2, infinity     for all others
 *   F(2x2, 5x5)  a = 6, the same points: it shares the input's transform
 *
 *   input   a x a pixels   d  ->  v = Bt d B      a*a numbers a channel
 *   filter  k x k          g  ->  u = G g Gt      a*a numbers a pair of channels
 *   output  m x m pixels:  y = At (sum over channels of u v) A
 *
 * The sum over channels is a*a matrix products. A tile is numbered by image, row and column of tiles; those over the
 * right and lower edge are cut. Channels lie in the vectors. Backward-data is the same convolution with rotated
 * filters. Backward-filters: du = sum over tiles of v (A dy At), dg = Gt du G.
 *
 * Matrices by Cook's construction from the points p: row p of At has the powers of p; row p of G these over the product of
 * p's distances to the others; row p of Bt the coefficients of the product of (x - q) over the other points q. */

/* Bt d: one line of six. */
static inline void CK(wino_input6)(const CK(vector) d[6], CK(vector) t[6]) {
    const CK(vector) even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
    const CK(vector) near = d[4] - d[2], far = 2 * (d[3] - d[1]);
    t[0] = 4 * d[0] + (d[4] - 5 * d[2]);
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = near + far;
    t[4] = near - far;
    t[5] = 4 * d[1] + (d[5] - 5 * d[3]);
}

/* At m, six to four (3 x 3) or two (5 x 5). */
static inline void CK(wino_output6)(const CK(vector) m[6], CK(vector) y[4], int size) {
    const CK(vector) s = m[1] + m[2], d = m[1] - m[2], far_s = m[3] + m[4], far_d = m[3] - m[4];
    y[0] = m[0] + s + far_s;
    if (size == 4) {
        y[1] = d + 2 * far_d;
        y[2] = s + 4 * far_s;
        y[3] = d + 8 * far_d + m[5];
    } else {
        y[1] = d + 2 * far_d + m[5];
    }
}

/* A y: the transpose of the above. */
static inline void CK(wino_gradient6)(const CK(vector) y[4], CK(vector) m[6], int size) {
    if (size == 4) {
        const CK(vector) even = y[0] + y[2], odd = y[1] + y[3];
        const CK(vector) far_even = y[0] + 4 * y[2], far_odd = 2 * y[1] + 8 * y[3];
        m[0] = y[0];
        m[1] = even + odd;
        m[2] = even - odd;
        m[3] = far_even + far_odd;
        m[4] = far_even - far_odd;
        m[5] = y[3];
    } else {
        m[0] = y[0];
        m[1] = y[0] + y[1];
        m[2] = y[0] - y[1];
        m[3] = y[0] + 2 * y[1];
        m[4] = y[0] - 2 * y[1];
        m[5] = y[1];
    }
}

static inline void CK(wino_input5)(const CK(vector) d[5], CK(vector) t[5]) {
    const CK(vector) near = d[3] - d[1];
    t[0] = 2 * (d[0] - d[2]) + near;
    t[1] = (d[3] - d[2]) - 2 * d[1];
    t[2] = (d[3] - 3 * d[2]) + 2 * d[1];
    t[3] = near;
    t[4] = (d[4] - d[2]) - 2 * near;
}

static inline void CK(wino_output5)(const CK(vector) m[5], CK(vector) y[3], int size) {
    (void)size;
    const CK(vector) s = m[1] + m[2], d = m[1] - m[2];
    y[0] = m[0] + s + m[3];
    y[1] = d + 2 * m[3];
    y[2] = s + 4 * m[3] + m[4];
}

static inline void CK(wino_gradient5)(const CK(vector) y[3], CK(vector) m[5], int size) {
    (void)size;
    const CK(vector) even = y[0] + y[2];
    m[0] = y[0];
    m[1] = even + y[1];
    m[2] = even - y[1];
    m[3] = y[0] + 2 * y[1] + 4 * y[2];
    m[4] = y[2];
}

static inline void CK(wino_input4)(const CK(vector) d[4], CK(vector) t[4]) {
    t[0] = d[0] - d[2];
    t[1] = d[2] + d[1];
    t[2] = d[2] - d[1];
    t[3] = d[3] - d[1];
}

static inline void CK(wino_output4)(const CK(vector) m[4], CK(vector) y[2], int size) {
    (void)size;
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] + m[3];
}

static inline void CK(wino_gradient4)(const CK(vector) y[2], CK(vector) m[4], int size) {
    (void)size;
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = y[1];
}

/* G, by a and k. */
static const float CK(wino_g43)[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
static const float CK(wino_g53)[5][3] = {{1 / 2.f, 0, 0},
                                         {-1 / 2.f, -1 / 2.f, -1 / 2.f},
                                         {-1 / 6.f, 1 / 6.f, -1 / 6.f},
                                         {1 / 6.f, 2 / 6.f, 4 / 6.f},
                                         {0, 0, 1}};
static const float CK(wino_g63)[6][3] = {{1 / 4.f, 0, 0},
                                         {-1 / 6.f, -1 / 6.f, -1 / 6.f},
                                         {-1 / 6.f, 1 / 6.f, -1 / 6.f},
                                         {1 / 24.f, 2 / 24.f, 4 / 24.f},
                                         {1 / 24.f, -2 / 24.f, 4 / 24.f},
                                         {0, 0, 1}};
static const float CK(wino_g65)[6][5] = {{1 / 4.f, 0, 0, 0, 0},
                                         {-1 / 6.f, -1 / 6.f, -1 / 6.f, -1 / 6.f, -1 / 6.f},
                                         {-1 / 6.f, 1 / 6.f, -1 / 6.f, 1 / 6.f, -1 / 6.f},
                                         {1 / 24.f, 2 / 24.f, 4 / 24.f, 8 / 24.f, 16 / 24.f},
                                         {1 / 24.f, -2 / 24.f, 4 / 24.f, -8 / 24.f, 16 / 24.f},
                                         {0, 0, 0, 0, 1}};

/* Filters k x k x inputs x outputs -> u, for input channels [first, last): a*a right operands of inputs x outputs, packed.
 * Padding columns are written as zeros. */
static inline void CK(wino_filters_any)(int a, int k, const float *g_matrix, const float *w, int inputs, int outputs,
                                        int first, int last, float *u) {
    const ptrdiff_t wide = (outputs + CK(COLUMNS) - 1) / CK(COLUMNS) * CK(COLUMNS), plane = wide * inputs;
    for (int i = first; i < last; i++)
        for (int o = 0; o < wide; o += CK_LANES) {
            CK(vector) half[6][5];
            for (int x = 0; x < k; x++) {
                CK(vector) g[5];
                for (int y = 0; y < k; y++)
                    g[y] = o < outputs ? CK(load_some)(w + ((ptrdiff_t)(y * k + x) * inputs + i) * outputs + o, outputs - o)
                                       : (CK(vector)){0};
                for (int p = 0; p < a; p++) {
                    half[p][x] = g_matrix[p * k] * g[0];
                    for (int y = 1; y < k; y++) half[p][x] += g_matrix[p * k + y] * g[y];
                }
            }
            float *to = u + (ptrdiff_t)(o / CK(COLUMNS) * CK(COLUMNS)) * inputs + (ptrdiff_t)i * CK(COLUMNS) +
                        o % CK(COLUMNS);
            for (int p = 0; p < a; p++)
                for (int q = 0; q < a; q++, to += plane) {
                    CK(vector) sum = g_matrix[q * k] * half[p][0];
                    for (int x = 1; x < k; x++) sum += g_matrix[q * k + x] * half[p][x];
                    CK(store)(to, sum);
                }
        }
}

/* du, a*a times inputs x wide, -> gradient of the filters, for input channels [first, last). */
static inline void CK(wino_filters_back_any)(int a, int k, const float *g_matrix, const float *du, int inputs,
                                             int outputs, int first, int last, float *dw) {
    const ptrdiff_t wide = (outputs + CK(COLUMNS) - 1) / CK(COLUMNS) * CK(COLUMNS), plane = wide * inputs;
    for (int i = first; i < last; i++)
        for (int o = 0; o < outputs; o += CK_LANES) {
            CK(vector) half[5][6];
            const float *from = du + i * wide + o;
            for (int q = 0; q < a; q++) {
                CK(vector) d[6];
                for (int p = 0; p < a; p++) d[p] = CK(load)(from + (p * a + q) * plane);
                for (int y = 0; y < k; y++) {
                    half[y][q] = g_matrix[y] * d[0];
                    for (int p = 1; p < a; p++) half[y][q] += g_matrix[p * k + y] * d[p];
                }
            }
            for (int y = 0; y < k; y++)
                for (int x = 0; x < k; x++) {
                    CK(vector) sum = g_matrix[x] * half[y][0];
                    for (int q = 1; q < a; q++) sum += g_matrix[q * k + x] * half[y][q];
                    CK(store_some)(dw + ((ptrdiff_t)(y * k + x) * inputs + i) * outputs + o, sum, outputs - o);
                }
        }
}

/* With constant a and k everything above unrolls. */
#define CK_FILTERS(function, ...)                                                                                      \
    if (k == 5) CK(function)(6, 5, &CK(wino_g65)[0][0], __VA_ARGS__);                                                  \
    else if (m == 4) CK(function)(6, 3, &CK(wino_g63)[0][0], __VA_ARGS__);                                             \
    else if (m == 3) CK(function)(5, 3, &CK(wino_g53)[0][0], __VA_ARGS__);                                             \
    else CK(function)(4, 3, &CK(wino_g43)[0][0], __VA_ARGS__)

static void CK(wino_filters)(const float *w, int m, int k, int inputs, int outputs, int first, int last, float *u) {
    CK_FILTERS(wino_filters_any, w, inputs, outputs, first, last, u);
}

static void CK(wino_filters_back)(const float *du, int m, int k, int inputs, int outputs, int first, int last,
                                  float *dw) {
    CK_FILTERS(wino_filters_back_any, du, inputs, outputs, first, last, dw);
}
#undef CK_FILTERS

#define CK_TILES(A)                                                                                                    \
    static inline void CK(wino_tiles##A)(const float *x, int h, int w, int c, int m, int k, int first, int tiles, int panel,\
                                         float *v) {                                                                   \
        const int pad = k / 2, down = (h + m - 1) / m, across = (w + m - 1) / m;                                       \
        const int wide = panel ? (c + panel - 1) / panel * panel : c;                                                  \
        const ptrdiff_t plane = (ptrdiff_t)tiles * wide;                                                               \
        for (int tile = 0; tile < tiles; tile++) {                                                                     \
            const int at = first + tile, image = at / (down * across);                                                 \
            const int top = at / across % down * m - pad, left = at % across * m - pad;                                \
            const float *from = x + (((ptrdiff_t)image * h + top) * w + left) * c;                                     \
            const int from_y = top < 0 ? -top : 0, to_y = top + A > h ? h - top : A;                                   \
            const int from_x = left < 0 ? -left : 0, to_x = left + A > w ? w - left : A;                               \
            const int whole = from_y == 0 && from_x == 0 && to_y == A && to_x == A;                                    \
            for (int i = 0; i < wide; i += CK_LANES) {                                                                 \
                CK(vector) half[A][A], line[A], t[A];                                                                  \
                for (int col = 0; col < A; col++) {                                                                    \
                    if (whole && i + CK_LANES <= c) {                                                                  \
                        for (int row = 0; row < A; row++)                                                              \
                            line[row] = CK(load)(from + ((ptrdiff_t)row * w + col) * c + i);                           \
                    } else {                                                                                           \
                        for (int row = 0; row < A; row++)                                                              \
                            line[row] = i < c && col >= from_x && col < to_x && row >= from_y && row < to_y            \
                                            ? CK(load_some)(from + ((ptrdiff_t)row * w + col) * c + i, c - i)          \
                                            : (CK(vector)){0};                                                         \
                    }                                                                                                  \
                    CK(wino_input##A)(line, t);                                                                        \
                    for (int row = 0; row < A; row++) half[row][col] = t[row];                                         \
                }                                                                                                      \
                float *to = panel ? v + (ptrdiff_t)(i / panel) * panel * tiles + (ptrdiff_t)tile * panel + i % panel   \
                                  : v + (ptrdiff_t)tile * c + i;                                                       \
                for (int row = 0; row < A; row++) {                                                                    \
                    CK(wino_input##A)(half[row], line);                                                                \
                    for (int col = 0; col < A; col++, to += plane) CK(store_some)(to, line[col], wide - i);            \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static inline void CK(wino_pixels##A)(const float *products, int h, int w, int c, int m, int k, int first, int tiles,\
                                          float *y) {                                                                  \
        (void)k;                                                                                                       \
        const int down = (h + m - 1) / m, across = (w + m - 1) / m;                                                    \
        const ptrdiff_t plane = (ptrdiff_t)tiles * c;                                                                  \
        for (int tile = 0; tile < tiles; tile++) {                                                                     \
            const int at = first + tile, image = at / (down * across);                                                 \
            const int top = at / across % down * m, left = at % across * m;                                            \
            const int rows = h - top < m ? h - top : m, cols = w - left < m ? w - left : m;                            \
            float *to = y + (((ptrdiff_t)image * h + top) * w + left) * c;                                             \
            for (int i = 0; i < c; i += CK_LANES) {                                                                    \
                CK(vector) half[4][A], line[A], out[4];                                                                \
                const float *from = products + (ptrdiff_t)tile * c + i;                                                \
                for (int col = 0; col < A; col++) {                                                                    \
                    for (int row = 0; row < A; row++) line[row] = CK(load_some)(from + (row * A + col) * plane, c - i);\
                    CK(wino_output##A)(line, out, m);                                                                  \
                    for (int row = 0; row < m; row++) half[row][col] = out[row];                                       \
                }                                                                                                      \
                for (int row = 0; row < rows; row++) {                                                                 \
                    CK(wino_output##A)(half[row], out, m);                                                             \
                    for (int col = 0; col < cols; col++)                                                               \
                        CK(store_some)(to + ((ptrdiff_t)row * w + col) * c + i, out[col], c - i);                      \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static inline void CK(wino_pixels_back##A)(const float *dy, int h, int w, int c, int m, int k, int first, int tiles,\
                                               float *products) {                                                      \
        (void)k;                                                                                                       \
        const int down = (h + m - 1) / m, across = (w + m - 1) / m;                                                    \
        const int wide = (c + CK(COLUMNS) - 1) / CK(COLUMNS) * CK(COLUMNS);                                            \
        const ptrdiff_t plane = (ptrdiff_t)tiles * wide;                                                               \
        for (int tile = 0; tile < tiles; tile++) {                                                                     \
            const int at = first + tile, image = at / (down * across);                                                 \
            const int top = at / across % down * m, left = at % across * m;                                            \
            const int rows = h - top < m ? h - top : m, cols = w - left < m ? w - left : m;                            \
            const float *from = dy + (((ptrdiff_t)image * h + top) * w + left) * c;                                    \
            for (int i = 0; i < wide; i += CK_LANES) {                                                                 \
                CK(vector) half[A][4], line[A], in[4];                                                                 \
                for (int col = 0; col < m; col++) {                                                                    \
                    for (int row = 0; row < m; row++)                                                                  \
                        in[row] = i < c && row < rows && col < cols                                                    \
                                      ? CK(load_some)(from + ((ptrdiff_t)row * w + col) * c + i, c - i)                \
                                      : (CK(vector)){0};                                                               \
                    CK(wino_gradient##A)(in, line, m);                                                                 \
                    for (int row = 0; row < A; row++) half[row][col] = line[row];                                      \
                }                                                                                                      \
                float *to = products + (ptrdiff_t)(i / CK(COLUMNS)) * CK(COLUMNS) * tiles + (ptrdiff_t)tile * CK(COLUMNS) +\
                            i % CK(COLUMNS);                                                                           \
                for (int row = 0; row < A; row++) {                                                                    \
                    CK(wino_gradient##A)(half[row], line, m);                                                          \
                    for (int col = 0; col < A; col++, to += plane) CK(store)(to, line[col]);                           \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
CK_TILES(4)
CK_TILES(5)
CK_TILES(6)
#undef CK_TILES

/* v of tiles [first, first + tiles). `panel` 0: a*a times tiles x c, by rows; else a*a times panels of `panel` channels, in
 * each the tiles one behind the other (missing channels are written as zeros). */
static void CK(wino_tiles)(const float *x, int h, int w, int c, int m, int k, int first, int tiles, int panel, float *v) {
    if (m + k == 7) CK(wino_tiles6)(x, h, w, c, m, k, first, tiles, panel, v);
    else if (m + k == 6) CK(wino_tiles5)(x, h, w, c, m, k, first, tiles, panel, v);
    else CK(wino_tiles4)(x, h, w, c, m, k, first, tiles, panel, v);
}

/* `products`, a*a times tiles x c, -> the output's pixels of tiles [first, first + tiles). */
static void CK(wino_pixels)(const float *products, int h, int w, int c, int m, int k, int first, int tiles, float *y) {
    if (m + k == 7) CK(wino_pixels6)(products, h, w, c, m, k, first, tiles, y);
    else if (m + k == 6) CK(wino_pixels5)(products, h, w, c, m, k, first, tiles, y);
    else CK(wino_pixels4)(products, h, w, c, m, k, first, tiles, y);
}

/* A dy At of tiles [first, first + tiles): a*a packed right operands of tiles x c. */
static void CK(wino_pixels_back)(const float *dy, int h, int w, int c, int m, int k, int first, int tiles,
                                 float *products) {
    if (m + k == 7) CK(wino_pixels_back6)(dy, h, w, c, m, k, first, tiles, products);
    else if (m + k == 6) CK(wino_pixels_back5)(dy, h, w, c, m, k, first, tiles, products);
    else CK(wino_pixels_back4)(dy, h, w, c, m, k, first, tiles, products);
}
