#include "cjpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* The error manager with its jump buffer; libjpeg holds the address of the first member. */
typedef struct {
    struct jpeg_error_mgr manager;
    jmp_buf jump;
    cjpeg_status status;
    char message[JMSG_LENGTH_MAX];
} errors;

struct cjpeg_reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    errors errors;
    int scan_limit;
    int inverted;  /* CMYK as Adobe writes it: 255 is no ink */
    uint8_t *cmyk; /* one row, where the image is CMYK */
};

static cjpeg_status status_of(int code) {
    switch (code) {
    case JERR_INPUT_EOF:
    case JERR_INPUT_EMPTY:
        return CJPEG_TRUNCATED;
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
        return CJPEG_MEMORY;
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW:
        return CJPEG_TOO_LARGE;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
        return CJPEG_UNSUPPORTED;
    default:
        return CJPEG_CORRUPT;
    }
}

static void raise_error(j_common_ptr jpeg) {
    errors *errors_ = (errors *)jpeg->err;
    if (errors_->status == CJPEG_OK) errors_->status = status_of(jpeg->err->msg_code);
    jpeg->err->format_message(jpeg, errors_->message);
    longjmp(errors_->jump, 1);
}

/* libjpeg goes on after a warning and paints what it lacks grey. Those that mean wrong pixels become errors; stray
 * bytes between segments and the like do no harm. */
static void take_message(j_common_ptr jpeg, int level) {
    if (level >= 0) return;
    switch (jpeg->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_JPEG_EOF:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
        raise_error(jpeg);
    }
}

static void no_output(j_common_ptr jpeg) { (void)jpeg; }

static void no_change(j_decompress_ptr jpeg) { (void)jpeg; }

/* All bytes are there from the start: wanting more means that they end early. */
static boolean want_more(j_decompress_ptr jpeg) {
    ERREXIT(jpeg, JERR_INPUT_EOF);
    return FALSE;
}

static void skip_bytes(j_decompress_ptr jpeg, long count) {
    if (count <= 0) return;
    if ((size_t)count > jpeg->src->bytes_in_buffer) ERREXIT(jpeg, JERR_INPUT_EOF);
    jpeg->src->next_input_byte += count;
    jpeg->src->bytes_in_buffer -= (size_t)count;
}

static void count_scans(j_common_ptr common) {
    cjpeg_reader *reader = (cjpeg_reader *)common;
    if (!common->is_decompressor || reader->jpeg.input_scan_number <= reader->scan_limit) return;
    reader->errors.status = CJPEG_SCANS;
    ERREXIT(common, JERR_NOTIMPL);
}

static void set_errors(errors *errors_) {
    jpeg_std_error(&errors_->manager);
    errors_->manager.error_exit = raise_error;
    errors_->manager.emit_message = take_message;
    errors_->manager.output_message = no_output;
}

static cjpeg_status failed(cjpeg_reader *reader, cjpeg_info *info) {
    strncpy(info->message, reader->errors.message, sizeof info->message - 1);
    info->message[sizeof info->message - 1] = 0;
    info->width = reader->jpeg.image_width;
    info->height = reader->jpeg.image_height;
    return reader->errors.status;
}

cjpeg_status cjpeg_open(const void *bytes, size_t size, cjpeg_reader **result, cjpeg_info *info) {
    *result = NULL;
    info->message[0] = 0;
    cjpeg_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return CJPEG_MEMORY;
    set_errors(&reader->errors);
    reader->jpeg.err = &reader->errors.manager;
    if (setjmp(reader->errors.jump)) {
        cjpeg_status status = failed(reader, info);
        cjpeg_close(reader);
        return status;
    }
    jpeg_create_decompress(&reader->jpeg);
    reader->source = (struct jpeg_source_mgr){
        .next_input_byte = bytes,
        .bytes_in_buffer = size,
        .init_source = no_change,
        .fill_input_buffer = want_more,
        .skip_input_data = skip_bytes,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = no_change,
    };
    reader->jpeg.src = &reader->source;
    reader->progress.progress_monitor = count_scans;
    reader->jpeg.progress = &reader->progress;
    reader->scan_limit = 1 << 20; /* until cjpeg_start says */
    jpeg_read_header(&reader->jpeg, TRUE);
    info->width = reader->jpeg.image_width;
    info->height = reader->jpeg.image_height;
    info->progressive = reader->jpeg.progressive_mode || reader->jpeg.comps_in_scan != reader->jpeg.num_components;
    int components = reader->jpeg.num_components;
    if (components != 1 && components != 3 && components != 4) ERREXIT(&reader->jpeg, JERR_CONVERSION_NOTIMPL);
    *result = reader;
    return CJPEG_OK;
}

cjpeg_status cjpeg_start(cjpeg_reader *reader, int denominator, int scan_limit, cjpeg_info *info) {
    if (setjmp(reader->errors.jump)) return failed(reader, info);
    reader->scan_limit = scan_limit;
    reader->jpeg.scale_num = 1;
    reader->jpeg.scale_denom = (unsigned)denominator;
    reader->jpeg.dct_method = JDCT_ISLOW; /* the same bits on every instruction set */
    if (reader->jpeg.num_components == 4) {
        reader->jpeg.out_color_space = JCS_CMYK;
        reader->inverted = reader->jpeg.saw_Adobe_marker;
    } else {
        reader->jpeg.out_color_space = JCS_RGB;
    }
    jpeg_start_decompress(&reader->jpeg);
    if (reader->jpeg.num_components == 4) {
        reader->cmyk = malloc((size_t)reader->jpeg.output_width * 4);
        if (reader->cmyk == NULL) ERREXIT1(&reader->jpeg, JERR_OUT_OF_MEMORY, 0);
    }
    info->output_width = reader->jpeg.output_width;
    info->output_height = reader->jpeg.output_height;
    return CJPEG_OK;
}

/* Ink to light without a colour profile: what each ink lets through, times what black lets through. */
static void convert_cmyk(const uint8_t *cmyk, uint8_t *rgb, size_t pixels, int inverted) {
    unsigned flip = inverted ? 0 : 255;
    for (size_t i = 0; i < pixels; i++, cmyk += 4, rgb += 3) {
        unsigned light = cmyk[3] ^ flip;
        for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(((cmyk[c] ^ flip) * light + 127) / 255);
    }
}

cjpeg_status cjpeg_row(cjpeg_reader *reader, uint8_t *rgb, cjpeg_info *info) {
    if (setjmp(reader->errors.jump)) return failed(reader, info);
    JSAMPROW row = reader->cmyk != NULL ? reader->cmyk : rgb;
    if (jpeg_read_scanlines(&reader->jpeg, &row, 1) != 1) ERREXIT(&reader->jpeg, JERR_INPUT_EOF);
    if (reader->cmyk != NULL) convert_cmyk(reader->cmyk, rgb, reader->jpeg.output_width, reader->inverted);
    return CJPEG_OK;
}

cjpeg_status cjpeg_finish(cjpeg_reader *reader, cjpeg_info *info) {
    if (setjmp(reader->errors.jump)) return failed(reader, info);
    jpeg_finish_decompress(&reader->jpeg);
    return CJPEG_OK;
}

void cjpeg_close(cjpeg_reader *reader) {
    if (reader == NULL) return;
    if (!setjmp(reader->errors.jump)) jpeg_destroy_decompress(&reader->jpeg);
    free(reader->cmyk);
    free(reader);
}

/* MARK: Writing */

typedef struct {
    struct jpeg_compress_struct jpeg;
    errors errors;
    unsigned char *bytes;
    unsigned long size;
} writer;

cjpeg_status cjpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, cjpeg_kind kind, int quality,
                          int progressive, int subsampling, int adobe, uint8_t **bytes, size_t *size) {
    static const J_COLOR_SPACE spaces[4] = {JCS_RGB, JCS_GRAYSCALE, JCS_CMYK, JCS_CMYK};
    static const int components[4] = {3, 1, 4, 4};
    *bytes = NULL;
    *size = 0;
    writer *to = calloc(1, sizeof *to); /* on the heap: it changes between setjmp and longjmp */
    if (to == NULL) return CJPEG_MEMORY;
    set_errors(&to->errors);
    to->jpeg.err = &to->errors.manager;
    if (setjmp(to->errors.jump)) {
        cjpeg_status status = to->errors.status;
        jpeg_destroy_compress(&to->jpeg);
        free(to->bytes);
        free(to);
        return status;
    }
    jpeg_create_compress(&to->jpeg);
    jpeg_mem_dest(&to->jpeg, &to->bytes, &to->size);
    to->jpeg.image_width = width;
    to->jpeg.image_height = height;
    to->jpeg.input_components = components[kind];
    to->jpeg.in_color_space = spaces[kind];
    jpeg_set_defaults(&to->jpeg);
    if (kind == CJPEG_YCCK) jpeg_set_colorspace(&to->jpeg, JCS_YCCK);
    if (!adobe) to->jpeg.write_Adobe_marker = FALSE;
    jpeg_set_quality(&to->jpeg, quality, TRUE);
    to->jpeg.comp_info[0].h_samp_factor = to->jpeg.comp_info[0].v_samp_factor =
        kind == CJPEG_RGB || kind == CJPEG_YCCK ? subsampling : 1;
    if (kind == CJPEG_YCCK) {
        to->jpeg.comp_info[3].h_samp_factor = to->jpeg.comp_info[3].v_samp_factor = subsampling;
    }
    if (progressive) jpeg_simple_progression(&to->jpeg);
    jpeg_start_compress(&to->jpeg, TRUE);
    for (uint32_t y = 0; y < height; y++) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)y * width * (size_t)components[kind]);
        jpeg_write_scanlines(&to->jpeg, &row, 1);
    }
    jpeg_finish_compress(&to->jpeg);
    *bytes = to->bytes;
    *size = to->size;
    jpeg_destroy_compress(&to->jpeg);
    free(to);
    return CJPEG_OK;
}
