/* The server side: libmicrohttpd with one thread per connection.
 *
 * A request passes `answer` several times: once when the header is there (too large a body is refused here, before
 * it is sent), once per piece of the body, once at its end, where the handler is called.
 *
 * Timeouts: libmicrohttpd counts the silence on the wire, also while a handler works or a stream waits for news, and
 * would close the connection afterwards. Setting a connection's timeout from 0 to a value starts its clock anew, so
 * it is 0 while this side works and the limit while the other side is awaited. */
#define _GNU_SOURCE
#include "chttp.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { stream_block = 16384, stream_wait_milliseconds = 100 };

struct chttp_server {
    struct MHD_Daemon *daemon;
    chttp_server_options options;
    atomic_bool stopping;
};

struct chttp_reply {
    chttp_server *server;
    struct MHD_Connection *connection;
    struct MHD_Response *response;
    int status;
};

/** A body on its way in. */
struct collection {
    uint8_t *bytes;
    size_t size, room, limit;
};

static int descriptor_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

static void set_timeout(struct MHD_Connection *connection, unsigned int seconds) {
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

static enum MHD_Result queue(struct MHD_Connection *connection, int status, struct MHD_Response *response) {
    enum MHD_Result result = MHD_queue_response(connection, (unsigned int)status, response);
    MHD_destroy_response(response);
    return result;
}

/** An answer that the server gives by itself. */
static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *code, const char *message,
                              const char *hint) {
    char text[512];
    int size = snprintf(text, sizeof text, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"hint\":\"%s\"}}\n", code,
                        message, hint);
    struct MHD_Response *response =
        MHD_create_response_from_buffer((size_t)size, text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return queue(connection, status, response);
}

/* MARK: Streams */

struct stream {
    chttp_server *server;
    struct MHD_Connection *connection;
    int descriptor;
    chttp_stream_next next;
    void (*close)(void *context);
    void *context;
};

static bool client_is_gone(int descriptor) {
    struct pollfd entry = {.fd = descriptor, .events = POLLRDHUP};
    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static ssize_t stream_read(void *context, uint64_t position, char *buffer, size_t room) {
    struct stream *stream = context;
    (void)position;
    set_timeout(stream->connection, 0);
    while (!atomic_load(&stream->server->stopping)) {
        size_t size = 0;
        int found = stream->next(stream->context, stream_wait_milliseconds, buffer, room, &size);
        if (found == chttp_stream_end) return MHD_CONTENT_READER_END_OF_STREAM;
        if (found == chttp_stream_bytes && size > 0) {
            set_timeout(stream->connection, stream->server->options.timeout_seconds);
            return (ssize_t)size;
        }
        if (client_is_gone(stream->descriptor)) return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static void stream_free(void *context) {
    struct stream *stream = context;
    stream->close(stream->context);
    free(stream);
}

/* MARK: Replies */

void chttp_reply_bytes(chttp_reply *reply, int status, const void *bytes, size_t size) {
    reply->status = status;
    reply->response = MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

void chttp_reply_stream(chttp_reply *reply, int status, chttp_stream_next next, void (*close)(void *context),
                        void *context) {
    struct stream *stream = malloc(sizeof *stream);
    if (stream == NULL) {
        close(context);
        return;
    }
    *stream = (struct stream){.server = reply->server,
                              .connection = reply->connection,
                              .descriptor = descriptor_of(reply->connection),
                              .next = next,
                              .close = close,
                              .context = context};
    reply->status = status;
    reply->response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, stream_block, stream_read, stream, stream_free);
    if (reply->response == NULL) stream_free(stream);
}

void chttp_reply_header(chttp_reply *reply, const char *name, const char *value) {
    if (reply->response != NULL) MHD_add_response_header(reply->response, name, value);
}

/* MARK: Requests */

struct each_call {
    chttp_each each;
    void *context;
};

static enum MHD_Result each_value(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                  const char *value, size_t value_size) {
    const struct each_call *call = context;
    (void)kind;
    (void)name_size;
    call->each(call->context, name, value == NULL ? "" : value, value == NULL ? 0 : value_size);
    return MHD_YES;
}

static void each_of(const chttp_request *request, enum MHD_ValueKind kind, chttp_each each, void *context) {
    struct each_call call = {each, context};
    MHD_get_connection_values_n(request->connection, kind, each_value, &call);
}

void chttp_each_header(const chttp_request *request, chttp_each each, void *context) {
    each_of(request, MHD_HEADER_KIND, each, context);
}

void chttp_each_query(const chttp_request *request, chttp_each each, void *context) {
    each_of(request, MHD_GET_ARGUMENT_KIND, each, context);
}

static bool append(struct collection *body, const char *bytes, size_t size) {
    if (size > body->limit - body->size) return false;
    if (body->size + size > body->room) {
        size_t room = body->room * 2 > body->size + size ? body->room * 2 : body->size + size;
        uint8_t *grown = realloc(body->bytes, room);
        if (grown == NULL) return false;
        body->bytes = grown;
        body->room = room;
    }
    memcpy(body->bytes + body->size, bytes, size);
    body->size += size;
    return true;
}

/** The header is there: makes the collection, or refuses the body before it is sent. */
static enum MHD_Result begin(chttp_server *server, struct MHD_Connection *connection, const char *path,
                             const char *method, void **state) {
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length == NULL &&
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL) {
        return refuse(connection, MHD_HTTP_LENGTH_REQUIRED, "length-required",
                      "The request does not say how long its body is.", "Send a Content-Length.");
    }
    size_t limit = server->options.body_limit(server->options.context, method, path);
    if (length != NULL && strtoull(length, NULL, 10) > limit) {
        return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
                      "The request's body is larger than this address takes.",
                      "For an image see limits.file in the configuration.");
    }
    struct collection *body = calloc(1, sizeof *body);
    if (body == NULL) return MHD_NO;
    body->limit = limit;
    *state = body;
    return MHD_YES;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state) {
    chttp_server *server = context;
    (void)version;
    if (*state == NULL) return begin(server, connection, path, method, state);
    struct collection *body = *state;
    if (*upload_size > 0) {
        if (!append(body, upload, *upload_size)) return MHD_NO;
        *upload_size = 0;
        return MHD_YES;
    }
    chttp_request request = {.method = method,
                             .path = path,
                             .body = body->bytes,
                             .body_size = body->size,
                             .descriptor = descriptor_of(connection),
                             .connection = connection};
    chttp_reply reply = {.server = server, .connection = connection};
    set_timeout(connection, 0);
    server->options.handler(server->options.context, &request, &reply);
    set_timeout(connection, server->options.timeout_seconds);
    if (reply.response == NULL) return MHD_NO;
    return queue(connection, reply.status, reply.response);
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode why) {
    struct collection *body = *state;
    (void)context;
    (void)connection;
    (void)why;
    if (body == NULL) return;
    free(body->bytes);
    free(body);
    *state = NULL;
}

/* MARK: Life */

chttp_server *chttp_server_start(const chttp_server_options *options) {
    chttp_server *server = calloc(1, sizeof *server);
    if (server == NULL) return NULL;
    server->options = *options;
    atomic_init(&server->stopping, false);
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer, server,
        MHD_OPTION_LISTEN_SOCKET, options->listener, MHD_OPTION_CONNECTION_LIMIT, options->connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, options->timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        options->header_limit, MHD_OPTION_THREAD_STACK_SIZE, (size_t)1 << 20, MHD_OPTION_NOTIFY_COMPLETED, completed,
        server, MHD_OPTION_END);
    if (server->daemon == NULL) {
        int reason = errno == 0 ? EAGAIN : errno;
        free(server);
        errno = reason;
        return NULL;
    }
    return server;
}

void chttp_server_stop(chttp_server *server) {
    atomic_store(&server->stopping, true);
    MHD_stop_daemon(server->daemon);
    free(server);
}
