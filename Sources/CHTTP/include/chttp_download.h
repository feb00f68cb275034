/* chttp_download.h: one large file over HTTPS, by libcurl. */
#ifndef CHTTP_DOWNLOAD_H
#define CHTTP_DOWNLOAD_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    CHTTP_DOWNLOAD_OK = 0,
    CHTTP_DOWNLOAD_UNREACHABLE, /* no network, no such host, refused, timed out, cut off: try again later */
    CHTTP_DOWNLOAD_REFUSED,     /* the server answered, but not with the file */
    CHTTP_DOWNLOAD_TOO_LARGE,   /* more bytes than `size_limit` */
    CHTTP_DOWNLOAD_WRITE,       /* the file could not be written: see errno's text in the message */
    CHTTP_DOWNLOAD_STOPPED,     /* the callback said so */
} chttp_download_status;

/** Called about once a second and at each block with the bytes now in the file and the whole size (0: unknown).
 *  Anything but 0 stops the download. */
typedef int (*chttp_download_progress)(void *context, int64_t done, int64_t total);

/** What was transferred, and the words for an error. */
typedef struct {
    long http_status;  /* 0 where no answer came */
    int64_t size;      /* bytes in the file afterwards */
    char message[256]; /* NUL-terminated */
} chttp_download_result;

/** Fetches `url` into the open file `descriptor`, from `resume_offset` on; a server that does not resume makes the
 *  file begin anew. HTTPS only, redirects included, unless `allow_plain` (for tests on the loopback interface).
 *  Less than 1 kB/s for `patience` seconds is a time-out.
 *  OWNERSHIP: the descriptor stays the caller's. THREADING: blocks; any thread, one download a descriptor. */
chttp_download_status chttp_download(const char *url, int descriptor, int64_t resume_offset, int64_t size_limit,
                                     int patience, int allow_plain, chttp_download_progress progress, void *context,
                                     chttp_download_result *result);

#endif
