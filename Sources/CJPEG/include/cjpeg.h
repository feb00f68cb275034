/* cjpeg.h: libjpeg-turbo behind functions that never longjmp into Swift.
 *
 * libjpeg reports errors through a callback that must not return; here it jumps to a buffer set by the call at hand,
 * which returns a status. A reader gives one row of RGB8 after the other, from colour, grey, CMYK and YCCK images.
 * Unlike libjpeg by itself, data that end early or do not decode are errors, not grey areas. */
#ifndef CJPEG_H
#define CJPEG_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    CJPEG_OK = 0,
    CJPEG_TRUNCATED,   /* the bytes end inside the image */
    CJPEG_CORRUPT,     /* the bytes break the format's rules */
    CJPEG_UNSUPPORTED, /* a kind of JPEG that is not read: 12-bit, lossless, other than 1, 3 or 4 components */
    CJPEG_TOO_LARGE,   /* a side above what libjpeg can do (65,500) */
    CJPEG_SCANS,       /* more scans than any camera writes: made to waste time */
    CJPEG_MEMORY,      /* no memory */
} cjpeg_status;

/** What is known of an image after cjpeg_open, its size as it comes out after cjpeg_start, and the last error. */
typedef struct {
    uint32_t width;
    uint32_t height;
    uint32_t output_width;
    uint32_t output_height;
    int progressive;
    char message[200]; /* libjpeg's words for the error, NUL-terminated */
} cjpeg_info;

typedef struct cjpeg_reader cjpeg_reader;

/** Reads the header. No memory is taken for pixels.
 *  OWNERSHIP: `bytes` stay the caller's and must outlive the reader; `*reader` is closed by cjpeg_close, and NULL on
 *  failure. THREADING: one thread at a time for one reader. */
cjpeg_status cjpeg_open(const void *bytes, size_t size, cjpeg_reader **reader, cjpeg_info *info);

/** Prepares for rows at 1/denominator of the size, rounded up; 1, 2, 4 or 8. A progressive image is read as a whole
 *  here: 2 bytes for each coefficient, that is 3 to 8 a pixel, and at most `scan_limit` scans. */
cjpeg_status cjpeg_start(cjpeg_reader *reader, int denominator, int scan_limit, cjpeg_info *info);

/** The next row, `output_width` pixels of three bytes. Call it `output_height` times at most. */
cjpeg_status cjpeg_row(cjpeg_reader *reader, uint8_t *rgb, cjpeg_info *info);

/** Reads to the end mark: only now is the image known to be whole. Needs all rows to have been read. */
cjpeg_status cjpeg_finish(cjpeg_reader *reader, cjpeg_info *info);

/** Frees the reader; NULL is allowed. */
void cjpeg_close(cjpeg_reader *reader);

/** What the pixels given to cjpeg_encode are, and what is stored. */
typedef enum {
    CJPEG_RGB = 0,  /* RGB8, stored as YCbCr */
    CJPEG_GREY = 1, /* one byte a pixel */
    CJPEG_CMYK = 2, /* four bytes a pixel, stored as they are: Adobe's files hold them inverted */
    CJPEG_YCCK = 3, /* the same, stored as YCCK */
} cjpeg_kind;

/** Encodes height × width pixels without padding; `quality` 1 to 100; `subsampling` 1 (4:4:4) or 2 (4:2:0);
 *  `adobe` 0 leaves out the Adobe marker where the kind would have one.
 *  OWNERSHIP: `*bytes` is the caller's, freed by free(3); NULL on failure. */
cjpeg_status cjpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, cjpeg_kind kind, int quality,
                          int progressive, int subsampling, int adobe, uint8_t **bytes, size_t *size);

#endif
