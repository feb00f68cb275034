/* chttp.h: HTTP/1.1 over a socket that the caller made, by GNU libmicrohttpd (server) and libcurl (client).
 *
 * Both libraries configure themselves through variadic functions, which Swift cannot call; the shims here do that
 * and reduce the libraries to what the control API needs. The server has one thread per connection, so that a
 * handler may block; the number of connections, the size of the header, the size of the body and the time a
 * connection may be silent are bounded. */
#ifndef CHTTP_H
#define CHTTP_H

#include <stddef.h>
#include <stdint.h>

/* MARK: Server */

typedef struct chttp_server chttp_server;
typedef struct chttp_reply chttp_reply;

/** A request with its whole body. All pointers end with the handler's call. */
typedef struct {
    const char *method;
    const char *path; /* percent-decoded, without the query */
    const uint8_t *body;
    size_t body_size;
    int descriptor;   /* of the connection, for SO_PEERCRED; not the handler's to close */
    void *connection; /* for chttp_each_header and chttp_each_query */
} chttp_request;

/** Answers one request by exactly one of chttp_reply_bytes and chttp_reply_stream.
 *  THREADING: called on the connection's thread, several at a time; may block. */
typedef void (*chttp_handler)(void *context, const chttp_request *request, chttp_reply *reply);

/** The most bytes that a body for this method and path may have. THREADING: as chttp_handler. */
typedef size_t (*chttp_body_limit)(void *context, const char *method, const char *path);

typedef void (*chttp_each)(void *context, const char *name, const char *value, size_t value_size);

/** What chttp_stream_next found. */
enum { chttp_stream_bytes = 1, chttp_stream_nothing = 0, chttp_stream_end = -1 };

/** Puts at most `room` bytes at `buffer` and their number in `*size`; waits for the first at most `milliseconds`,
 *  then says chttp_stream_nothing, so that the server can see whether it is to stop or the client has gone. */
typedef int (*chttp_stream_next)(void *context, int milliseconds, char *buffer, size_t room, size_t *size);

typedef struct {
    int listener;                 /* a listening socket. OWNERSHIP: the server's after a successful start */
    unsigned int connection_limit;
    unsigned int timeout_seconds; /* of silence; 0 is none */
    size_t header_limit;          /* memory of a connection in bytes: request line, headers, and answer header */
    chttp_handler handler;
    chttp_body_limit body_limit;
    void *context;                /* of both functions. OWNERSHIP: the caller's, until chttp_server_stop */
} chttp_server_options;

/** NULL with errno when the threads cannot be started. */
chttp_server *chttp_server_start(const chttp_server_options *options);

/** Ends streams, closes all connections, waits for running handlers, closes the listener. */
void chttp_server_stop(chttp_server *server);

/** Calls `each` for every header, or for every percent-decoded argument of the query. */
void chttp_each_header(const chttp_request *request, chttp_each each, void *context);
void chttp_each_query(const chttp_request *request, chttp_each each, void *context);

/** Answers with these bytes, which are copied. */
void chttp_reply_bytes(chttp_reply *reply, int status, const void *bytes, size_t size);

/** Answers with what `next` gives until it says chttp_stream_end. `close` is called exactly once with `context`. */
void chttp_reply_stream(chttp_reply *reply, int status, chttp_stream_next next, void (*close)(void *context),
                        void *context);

/** Adds a header; after one of the two above. */
void chttp_reply_header(chttp_reply *reply, const char *name, const char *value);

/* MARK: Client */

/** How chttp_perform ended. */
enum {
    chttp_done = 0,
    chttp_unreachable = 1, /* nobody listens at the socket: no file, or nobody behind it */
    chttp_denied = 2,      /* the socket may not be opened by this user */
    chttp_timed_out = 3,
    chttp_stopped = 4,     /* by the caller's function */
    chttp_broken = 5,      /* what came is not HTTP */
    chttp_lost = 6,        /* somebody listened, and closed the connection before the answer's end */
};

/** Takes bytes of the body as they come; 0 goes on, anything else ends the transfer. */
typedef int (*chttp_chunk)(void *context, long status, const void *bytes, size_t size);

typedef struct {
    const char *socket_path;
    const char *method;
    const char *target;       /* path and query, percent-encoded */
    const void *body;
    size_t body_size;
    const char *content_type; /* of the body; may be NULL */
    long timeout_milliseconds; /* for the whole exchange; 0 is none */
    chttp_chunk chunk;
    void *context;
} chttp_exchange;

/** Makes one request. `*status` is the HTTP status, `error` a sentence for a person when the return is not chttp_done.
 *  THREADING: any thread; blocks. */
int chttp_perform(const chttp_exchange *exchange, long *status, char error[256]);

#endif
