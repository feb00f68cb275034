/* Winograd's transforms of whole tiles, included once for each pair of CK_A and CK_M: constant, so that all loops over a
 * tile unroll. CK_WINO(name) is name_a_m. */

#define CK_WINO3(name, a, m) CK(name##_##a##_##m)
#define CK_WINO2(name, a, m) CK_WINO3(name, a, m)
#define CK_WINO(name) CK_WINO2(name, CK_A, CK_M)
#define CK_LINE3(name, a) CK(name##a)
#define CK_LINE2(name, a) CK_LINE3(name, a)
#define CK_LINE(name) CK_LINE2(name, CK_A)

/* v = Bt d B of tiles [first, first + tiles). */
static void CK_WINO(wino_tiles)(const float *x, const ck_wino_map *map, int first, int tiles, int block, int panel,
                                float *v) {
    const int h = map->height, w = map->width, c = map->channels;
    const int wide = panel ? (c + panel - 1) / panel * panel : c;
    const ptrdiff_t plane = (ptrdiff_t)block * wide;
    static const float nothing[CK_LANES];
    for (int tile = 0; tile < tiles; tile++) {
        const int at = first + tile, image = at / (map->down * map->across);
        const int top = at / map->across % map->down * CK_M - map->pad, left = at % map->across * CK_M - map->pad;
        const float *from = x + (((ptrdiff_t)image * h + top) * w + left) * c;
        const int whole = top >= 0 && left >= 0 && top + CK_A <= h && left + CK_A <= w;
        /* Pixels outside are `nothing`, whatever the channel. */
        const float *place[CK_A][CK_A];
        int mask[CK_A][CK_A];
        if (!whole)
            for (int row = 0; row < CK_A; row++)
                for (int col = 0; col < CK_A; col++) {
                    const int inside = top + row >= 0 && top + row < h && left + col >= 0 && left + col < w;
                    place[row][col] = inside ? from + ((ptrdiff_t)row * w + col) * c : nothing;
                    mask[row][col] = inside ? -1 : 0;
                }
        for (int i = 0; i < wide; i += CK_LANES) {
            CK(vector) half[CK_A][CK_A], line[CK_A], t[CK_A];
            const int isFull = i + CK_LANES <= c;
            for (int col = 0; col < CK_A; col++) {
                if (whole && isFull) {
                    for (int row = 0; row < CK_A; row++)
                        line[row] = CK(load)(from + ((ptrdiff_t)row * w + col) * c + i);
                } else if (whole) {
                    for (int row = 0; row < CK_A; row++)
                        line[row] = CK(load_some)(from + ((ptrdiff_t)row * w + col) * c + i, c - i);
                } else if (isFull) {
                    for (int row = 0; row < CK_A; row++) line[row] = CK(load)(place[row][col] + (i & mask[row][col]));
                } else {
                    for (int row = 0; row < CK_A; row++)
                        line[row] = CK(load_some)(place[row][col] + (i & mask[row][col]), c - i);
                }
                CK_LINE(wino_input)(line, t);
                for (int row = 0; row < CK_A; row++) half[row][col] = t[row];
            }
            float *to = panel ? v + (ptrdiff_t)(i / panel) * panel * block + (ptrdiff_t)tile * panel + i % panel
                              : v + (ptrdiff_t)tile * c + i;
            for (int row = 0; row < CK_A; row++) {
                CK_LINE(wino_input)(half[row], line);
                for (int col = 0; col < CK_A; col++, to += plane) CK(store_some)(to, line[col], wide - i);
            }
        }
    }
}

/* y = At products A, then the epilogue, of tiles [first, first + tiles). */
static void CK_WINO(wino_pixels)(const float *products, const ck_wino_map *map, int first, int tiles, int block,
                                 const ck_epilogue *epilogue, float *y) {
    const int h = map->height, w = map->width, c = map->channels;
    const ptrdiff_t plane = (ptrdiff_t)block * c;
    const int stream = CK(streams)(map->stream, y, c);
    for (int tile = 0; tile < tiles; tile++) {
        const int at = first + tile, image = at / (map->down * map->across);
        const int top = at / map->across % map->down * CK_M, left = at % map->across * CK_M;
        const int rows = h - top < CK_M ? h - top : CK_M, cols = w - left < CK_M ? w - left : CK_M;
        float *to = y + (((ptrdiff_t)image * h + top) * w + left) * c;
        for (int i = 0; i < c; i += CK_LANES) {
            CK(vector) half[CK_M][CK_A], line[CK_A], out[CK_M];
            const float *from = products + (ptrdiff_t)tile * c + i;
            for (int col = 0; col < CK_A; col++) {
                for (int row = 0; row < CK_A; row++)
                    line[row] = CK(load_some)(from + (row * CK_A + col) * plane, c - i);
                CK_LINE(wino_output)(line, out, CK_M);
                for (int row = 0; row < CK_M; row++) half[row][col] = out[row];
            }
            for (int row = 0; row < rows; row++) {
                CK_LINE(wino_output)(half[row], out, CK_M);
                if (epilogue)
                    for (int col = 0; col < CK_M; col++) out[col] = CK(finish)(out[col], epilogue, i, c);
                if (stream) {
                    for (int col = 0; col < cols; col++) CK(stream)(to + ((ptrdiff_t)row * w + col) * c + i, out[col]);
                } else {
                    for (int col = 0; col < cols; col++)
                        CK(store_some)(to + ((ptrdiff_t)row * w + col) * c + i, out[col], c - i);
                }
            }
        }
    }
    if (stream) CK(streamed)();
}

/* A dy At of tiles [first, first + tiles). */
static void CK_WINO(wino_pixels_back)(const float *dy, const ck_wino_map *map, int first, int tiles, float *products) {
    const int h = map->height, w = map->width, c = map->channels;
    const int wide = (c + CK(COLUMNS) - 1) / CK(COLUMNS) * CK(COLUMNS);
    const ptrdiff_t plane = (ptrdiff_t)tiles * wide;
    for (int tile = 0; tile < tiles; tile++) {
        const int at = first + tile, image = at / (map->down * map->across);
        const int top = at / map->across % map->down * CK_M, left = at % map->across * CK_M;
        const int rows = h - top < CK_M ? h - top : CK_M, cols = w - left < CK_M ? w - left : CK_M;
        const float *from = dy + (((ptrdiff_t)image * h + top) * w + left) * c;
        for (int i = 0; i < wide; i += CK_LANES) {
            CK(vector) half[CK_A][CK_M], line[CK_A], in[CK_M];
            for (int col = 0; col < CK_M; col++) {
                for (int row = 0; row < CK_M; row++)
                    in[row] = i < c && row < rows && col < cols
                                  ? CK(load_some)(from + ((ptrdiff_t)row * w + col) * c + i, c - i)
                                  : (CK(vector)){0};
                CK_LINE(wino_gradient)(in, line, CK_M);
                for (int row = 0; row < CK_A; row++) half[row][col] = line[row];
            }
            float *to = products + (ptrdiff_t)(i / CK(COLUMNS)) * CK(COLUMNS) * tiles + (ptrdiff_t)tile * CK(COLUMNS) +
                        i % CK(COLUMNS);
            for (int row = 0; row < CK_A; row++) {
                CK_LINE(wino_gradient)(half[row], line, CK_M);
                for (int col = 0; col < CK_A; col++, to += plane) CK(store)(to, line[col]);
            }
        }
    }
}

#undef CK_LINE
#undef CK_LINE2
#undef CK_LINE3
#undef CK_WINO
#undef CK_WINO2
#undef CK_WINO3
#undef CK_A
#undef CK_M
