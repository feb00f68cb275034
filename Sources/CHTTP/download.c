#define _GNU_SOURCE
#include "chttp_download.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    int descriptor;
    int64_t start, offset, limit;
    chttp_download_status status; /* set by a callback that ends the transfer */
    int error;                    /* errno of a failed write */
    chttp_download_progress progress;
    void *context;
} transfer;

static size_t take(char *bytes, size_t size, size_t count, void *context) {
    transfer *transfer_ = context;
    size_t length = size * count, done = 0;
    if (transfer_->offset + (int64_t)length > transfer_->limit) {
        transfer_->status = CHTTP_DOWNLOAD_TOO_LARGE;
        return 0;
    }
    while (done < length) {
        ssize_t wrote = pwrite(transfer_->descriptor, bytes + done, length - done, transfer_->offset);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            transfer_->status = CHTTP_DOWNLOAD_WRITE;
            transfer_->error = errno;
            return 0;
        }
        done += (size_t)wrote;
        transfer_->offset += wrote;
    }
    return length;
}

static int tell(void *context, curl_off_t total, curl_off_t now, curl_off_t upload_total, curl_off_t upload_now) {
    (void)now;
    (void)upload_total;
    (void)upload_now;
    transfer *transfer_ = context;
    if (transfer_->progress == NULL) return 0;
    int64_t whole = total > 0 ? transfer_->start + total : 0;
    if (transfer_->progress(transfer_->context, transfer_->offset, whole) == 0) return 0;
    transfer_->status = CHTTP_DOWNLOAD_STOPPED;
    return 1;
}

/* One request from `transfer_->start` on. */
static CURLcode perform(CURL *curl, const char *url, transfer *transfer_, int patience, int plain, char *message) {
    curl_easy_reset(curl);
    message[0] = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, plain ? "http" : "https");
    if (plain) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, plain ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)patience);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1000L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)patience);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "fovea");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer_);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tell);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer_);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)transfer_->start);
    transfer_->offset = transfer_->start;
    return curl_easy_perform(curl);
}

static chttp_download_status status_of(CURLcode code, const transfer *transfer_) {
    if (transfer_->status != CHTTP_DOWNLOAD_OK) return transfer_->status;
    switch (code) {
    case CURLE_OK:
        return CHTTP_DOWNLOAD_OK;
    case CURLE_HTTP_RETURNED_ERROR:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_RANGE_ERROR:
        return CHTTP_DOWNLOAD_REFUSED;
    default:
        return CHTTP_DOWNLOAD_UNREACHABLE;
    }
}

chttp_download_status chttp_download(const char *url, int descriptor, int64_t resume_offset, int64_t size_limit,
                                     int patience, int allow_plain, chttp_download_progress progress, void *context,
                                     chttp_download_result *result) {
    memset(result, 0, sizeof *result);
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        snprintf(result->message, sizeof result->message, "libcurl does not start");
        return CHTTP_DOWNLOAD_UNREACHABLE;
    }
    transfer transfer_ = {.descriptor = descriptor,
                          .start = resume_offset,
                          .limit = size_limit,
                          .progress = progress,
                          .context = context};
    static const char loopback[] = "http://127.0.0.1:";
    int plain = allow_plain && strncmp(url, loopback, sizeof loopback - 1) == 0;
    char message[CURL_ERROR_SIZE];
    CURLcode code = perform(curl, url, &transfer_, patience, plain, message);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &result->http_status);
    /* A server that cannot resume, or has another file now: begin anew. */
    if (resume_offset > 0 && (code == CURLE_RANGE_ERROR || result->http_status == 416)) {
        transfer_.start = 0;
        if (ftruncate(descriptor, 0) == 0) {
            code = perform(curl, url, &transfer_, patience, plain, message);
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &result->http_status);
        }
    }
    chttp_download_status status = status_of(code, &transfer_);
    result->size = transfer_.offset;
    const char *words = status == CHTTP_DOWNLOAD_WRITE ? strerror(transfer_.error)
                        : message[0] != 0              ? message
                                                       : curl_easy_strerror(code);
    if (status != CHTTP_DOWNLOAD_OK) snprintf(result->message, sizeof result->message, "%s", words);
    curl_easy_cleanup(curl);
    return status;
}
