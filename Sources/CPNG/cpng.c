#include "cpng.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

/* The largest single chunk in memory (a compressed profile or text unpacked), and how many such are kept. */
enum { most_chunk_bytes = 4 << 20, most_chunks = 64 };

struct cpng_reader {
    png_structp png;
    png_infop png_info;
    const uint8_t *bytes;
    size_t size;
    size_t offset;
    cpng_status status; /* set before an error is raised where it is not CPNG_CORRUPT */
    uint32_t width, height, row;
    unsigned channels; /* 3 or 4 */
    int interlaced;
    uint8_t *pixels; /* one row, or the whole image when interlaced; NULL where rows go straight out */
    char message[128];
};

static void copy_message(char *to, const char *from) {
    strncpy(to, from, 127);
    to[127] = 0;
}

/* noreturn by contract of libpng: ends in png_longjmp. */
static void raise_error(png_structp png, png_const_charp text) {
    cpng_reader *reader = png_get_error_ptr(png);
    copy_message(reader->message, text);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep to, size_t count) {
    cpng_reader *reader = png_get_io_ptr(png);
    if (count > reader->size - reader->offset) {
        reader->status = CPNG_TRUNCATED;
        png_error(png, "the data end early");
    }
    memcpy(to, reader->bytes + reader->offset, count);
    reader->offset += count;
}

static cpng_status failed(cpng_reader *reader, cpng_info *info) {
    copy_message(info->message, reader->message);
    return reader->status != CPNG_OK ? reader->status : CPNG_CORRUPT;
}

/* The gamma to sRGB's 2.2. An sRGB chunk says that nothing is to be done; so, for us, does an ICC profile, which
 * has precedence over gAMA and which we do not apply. Values that no camera writes are taken for noise. */
static void set_gamma(cpng_reader *reader) {
    png_fixed_point gamma;
    if (png_get_valid(reader->png, reader->png_info, PNG_INFO_sRGB | PNG_INFO_iCCP)) return;
    if (!png_get_gAMA_fixed(reader->png, reader->png_info, &gamma)) return;
    if (gamma < PNG_FP_1 / 10 || gamma > PNG_FP_1 * 10) return;
    png_set_gamma_fixed(reader->png, 220000, gamma);
}

static void set_transformations(cpng_reader *reader) {
    png_structp png = reader->png;
    int color = png_get_color_type(png, reader->png_info);
    png_set_expand(png);
    if (png_get_bit_depth(png, reader->png_info) == 16) png_set_scale_16(png);
    if (!(color & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
    set_gamma(reader);
    png_set_interlace_handling(png);
    png_read_update_info(png, reader->png_info);
    reader->channels = png_get_channels(png, reader->png_info);
    if ((reader->channels != 3 && reader->channels != 4) ||
        png_get_rowbytes(png, reader->png_info) != (size_t)reader->width * reader->channels) {
        png_error(png, "unexpected pixel layout");
    }
}

cpng_status cpng_open(const void *bytes, size_t size, uint32_t side_limit, cpng_reader **result, cpng_info *info) {
    *result = NULL;
    info->message[0] = 0;
    cpng_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return CPNG_MEMORY;
    reader->bytes = bytes;
    reader->size = size;
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, raise_error, ignore_warning);
    if (reader->png != NULL) reader->png_info = png_create_info_struct(reader->png);
    if (reader->png_info == NULL) {
        cpng_close(reader);
        return CPNG_MEMORY;
    }
    if (setjmp(png_jmpbuf(reader->png))) {
        cpng_status status = failed(reader, info);
        cpng_close(reader);
        return status;
    }
    png_set_read_fn(reader->png, reader, read_bytes);
    png_set_user_limits(reader->png, side_limit, side_limit);
    png_set_chunk_cache_max(reader->png, most_chunks);
    png_set_chunk_malloc_max(reader->png, most_chunk_bytes);
    png_read_info(reader->png, reader->png_info);
    info->width = reader->width = png_get_image_width(reader->png, reader->png_info);
    info->height = reader->height = png_get_image_height(reader->png, reader->png_info);
    reader->interlaced = png_get_interlace_type(reader->png, reader->png_info) != PNG_INTERLACE_NONE;
    info->interlaced = reader->interlaced;
    set_transformations(reader);
    *result = reader;
    return CPNG_OK;
}

static void lay_over_white(const uint8_t *rgba, uint8_t *rgb, size_t pixels) {
    for (size_t i = 0; i < pixels; i++, rgba += 4, rgb += 3) {
        unsigned alpha = rgba[3];
        unsigned white = 255 * (255 - alpha) + 127; /* and half of the divisor, to round */
        rgb[0] = (uint8_t)((rgba[0] * alpha + white) / 255);
        rgb[1] = (uint8_t)((rgba[1] * alpha + white) / 255);
        rgb[2] = (uint8_t)((rgba[2] * alpha + white) / 255);
    }
}

/* Takes the memory and reads all passes of an interlaced image over it. */
static void read_interlaced(cpng_reader *reader) {
    size_t row_bytes = (size_t)reader->width * reader->channels;
    reader->pixels = calloc(reader->height, row_bytes);
    if (reader->pixels == NULL) {
        reader->status = CPNG_MEMORY;
        png_error(reader->png, "no memory for an interlaced image");
    }
    for (int pass = 0; pass < 7; pass++) {
        for (uint32_t y = 0; y < reader->height; y++) {
            png_read_row(reader->png, reader->pixels + y * row_bytes, NULL);
        }
    }
}

cpng_status cpng_row(cpng_reader *reader, uint8_t *rgb, cpng_info *info) {
    size_t row_bytes = (size_t)reader->width * reader->channels;
    if (reader->row >= reader->height) return CPNG_CORRUPT;
    if (setjmp(png_jmpbuf(reader->png))) return failed(reader, info);
    const uint8_t *row;
    if (reader->interlaced) {
        if (reader->pixels == NULL) read_interlaced(reader);
        row = reader->pixels + reader->row * row_bytes;
    } else if (reader->channels == 3) {
        png_read_row(reader->png, rgb, NULL);
        reader->row++;
        return CPNG_OK;
    } else {
        if (reader->pixels == NULL && (reader->pixels = malloc(row_bytes)) == NULL) {
            copy_message(info->message, "no memory for a row");
            return CPNG_MEMORY;
        }
        png_read_row(reader->png, reader->pixels, NULL);
        row = reader->pixels;
    }
    if (reader->channels == 3) {
        memcpy(rgb, row, row_bytes);
    } else {
        lay_over_white(row, rgb, reader->width);
    }
    reader->row++;
    return CPNG_OK;
}

cpng_status cpng_finish(cpng_reader *reader, cpng_info *info) {
    if (setjmp(png_jmpbuf(reader->png))) return failed(reader, info);
    png_read_end(reader->png, NULL);
    return CPNG_OK;
}

void cpng_close(cpng_reader *reader) {
    if (reader == NULL) return;
    if (reader->png != NULL) png_destroy_read_struct(&reader->png, &reader->png_info, NULL);
    free(reader->pixels);
    free(reader);
}

/* MARK: Writing */

typedef struct {
    uint8_t *bytes;
    size_t size, capacity;
} growing;

static void write_bytes(png_structp png, png_bytep from, size_t count) {
    growing *to = png_get_io_ptr(png);
    if (to->size + count > to->capacity) {
        size_t capacity = 2 * to->capacity + count;
        uint8_t *grown = realloc(to->bytes, capacity);
        if (grown == NULL) png_error(png, "no memory");
        to->bytes = grown;
        to->capacity = capacity;
    }
    memcpy(to->bytes + to->size, from, count);
    to->size += count;
}

static void nothing_to_flush(png_structp png) { (void)png; }

static void raise_write_error(png_structp png, png_const_charp text) {
    (void)text;
    png_longjmp(png, 1);
}

cpng_status cpng_encode(const uint8_t *rgb, uint32_t width, uint32_t height, int level, uint8_t **bytes, size_t *size) {
    *bytes = NULL;
    *size = 0;
    growing *to = calloc(1, sizeof *to); /* on the heap: it changes between setjmp and longjmp */
    if (to == NULL) return CPNG_MEMORY;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, raise_write_error, ignore_warning);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    if (info == NULL || setjmp(png_jmpbuf(png))) {
        if (png != NULL) png_destroy_write_struct(&png, info != NULL ? &info : NULL);
        free(to->bytes);
        free(to);
        return CPNG_MEMORY;
    }
    png_set_write_fn(png, to, write_bytes, nothing_to_flush);
    png_set_compression_level(png, level);
    png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < height; y++) png_write_row(png, rgb + (size_t)y * width * 3);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    *bytes = to->bytes;
    *size = to->size;
    free(to);
    return CPNG_OK;
}
