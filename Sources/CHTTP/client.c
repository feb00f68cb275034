/* The client side: libcurl over a unix socket, one connection per exchange. */
#include "chttp.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void initialize(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

struct transfer {
    CURL *handle;
    const chttp_exchange *exchange;
    int stopped;
};

static size_t receive(char *bytes, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    long status = 0;
    curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->exchange->chunk(transfer->exchange->context, status, bytes, size * count) == 0) return size * count;
    transfer->stopped = 1;
    return 0;
}

static int ending(CURL *handle, CURLcode code, int stopped) {
    long reason = 0;
    switch (code) {
    case CURLE_OK: return chttp_done;
    case CURLE_WRITE_ERROR: return stopped ? chttp_stopped : chttp_broken;
    case CURLE_OPERATION_TIMEDOUT: return chttp_timed_out;
    case CURLE_COULDNT_CONNECT:
        curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &reason);
        if (reason == EAGAIN) return chttp_lost; /* the listener's queue is full: unix(7) */
        return reason == EACCES || reason == EPERM ? chttp_denied : chttp_unreachable;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: return chttp_lost;
    default: return chttp_broken;
    }
}

int chttp_perform(const chttp_exchange *exchange, long *status, char error[256]) {
    char url[8192];
    char text[CURL_ERROR_SIZE] = "";
    *status = 0;
    error[0] = 0;
    pthread_once(&once, initialize);
    if ((size_t)snprintf(url, sizeof url, "http://localhost%s", exchange->target) >= sizeof url) {
        snprintf(error, 256, "the request's address is too long");
        return chttp_broken;
    }
    CURL *handle = curl_easy_init();
    if (handle == NULL) {
        snprintf(error, 256, "libcurl did not start");
        return chttp_broken;
    }
    struct transfer transfer = {.handle = handle, .exchange = exchange};
    struct curl_slist *headers = NULL;
    if (exchange->content_type != NULL) {
        char line[256];
        snprintf(line, sizeof line, "Content-Type: %s", exchange->content_type);
        headers = curl_slist_append(headers, line);
    }
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, exchange->socket_path);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, exchange->timeout_milliseconds);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    if (exchange->body != NULL || strcmp(exchange->method, "POST") == 0) {
        curl_easy_setopt(handle, CURLOPT_POST, 1L);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body_size);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, exchange->body == NULL ? "" : exchange->body);
    }
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, exchange->method);

    CURLcode code = curl_easy_perform(handle);
    int result = ending(handle, code, transfer.stopped);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, status);
    if (result != chttp_done) snprintf(error, 256, "%s", text[0] != 0 ? text : curl_easy_strerror(code));
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
    return result;
}
