/* cpng.h: libpng behind functions that never longjmp into Swift.
 *
 * libpng reports errors by longjmp, which must not cross Swift frames: every call here sets its own jump buffer and
 * returns a status. A reader gives one row of RGB8 after the other, whatever the colour type, depth or interlacing
 * of the file; alpha is laid over white. */
#ifndef CPNG_H
#define CPNG_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    CPNG_OK = 0,
    CPNG_TRUNCATED, /* the bytes end inside the image */
    CPNG_CORRUPT,   /* the bytes break the format's rules */
    CPNG_MEMORY,    /* no memory */
} cpng_status;

/** What is known of an image after cpng_open, and of the last error after any call. */
typedef struct {
    uint32_t width;
    uint32_t height;
    int interlaced;
    char message[128]; /* libpng's words for the error, NUL-terminated */
} cpng_info;

typedef struct cpng_reader cpng_reader;

/** Reads everything before the pixels. Images above `side_limit` a side are refused, as are single chunks that
 *  unpack to more than 4 MB. No memory is taken for pixels.
 *  OWNERSHIP: `bytes` stay the caller's and must outlive the reader; `*reader` is closed by cpng_close, and NULL on
 *  failure. THREADING: one thread at a time for one reader. */
cpng_status cpng_open(const void *bytes, size_t size, uint32_t side_limit, cpng_reader **reader, cpng_info *info);

/** The next row, `width` pixels of three bytes, from top to bottom. An interlaced image is read as a whole at the
 *  first row: 3 or 4 bytes a pixel. Call it `height` times at most. */
cpng_status cpng_row(cpng_reader *reader, uint8_t *rgb, cpng_info *info);

/** Reads what follows the pixels, to the end mark: only now is the image known to be whole. */
cpng_status cpng_finish(cpng_reader *reader, cpng_info *info);

/** Frees the reader; NULL is allowed. */
void cpng_close(cpng_reader *reader);

/** Encodes RGB8 (height × width × 3 bytes, no padding) at zlib level 0 to 9.
 *  OWNERSHIP: `*bytes` is the caller's, freed by free(3); NULL on failure. */
cpng_status cpng_encode(const uint8_t *rgb, uint32_t width, uint32_t height, int level, uint8_t **bytes, size_t *size);

#endif
