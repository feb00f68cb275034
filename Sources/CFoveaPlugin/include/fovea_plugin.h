/* fovea_plugin.h: the one thing that Fovea and its plugins share.
 *
 * A plugin is a shared library `libfovea-NAME.so` (or `fovea-NAME.so`) that exports one symbol,
 * `fovea_plugin_entry`. The worker loads it, reads the table that the entry returns, and runs it as one
 * stage of the chain:
 *
 *     decoded, resized        filter*            normalizer           classifier
 *     RGB8 N x H x W x 3  ->  RGB8 N x H x W x 3  ->  float32 N x H x W x 3  ->  float32 N x classes
 *
 * VERSIONS. `abi_version` is the first member of every table, `struct_size` the second. The number
 * changes only when an old plugin could no longer work. Everything new is a new optional member at the
 * end of a struct: a reader looks at `struct_size` before it touches a member that version 1 did not have.
 * A plugin needs no symbol of the host: what the host offers comes in `fovea_host`, so that a library
 * made for another version still loads far enough to be refused with a clear message.
 *
 * OWNERSHIP. The caller owns every buffer, before, during and after a call. A plugin keeps no pointer
 * that it was given, `fovea_host` and the strings in its own tables excepted.
 *
 * THREADING. The calls on one instance never overlap. Different instances may be used on different
 * threads at once. A plugin starts no threads of its own after `create` has returned.
 *
 * ERRORS. A call that can fail returns a `fovea_status` and, when that is not FOVEA_OK, writes a
 * sentence for the user into `error` (NUL-terminated, truncated to fit). No call throws, longjmps or exits.
 *
 * Usable from C99, C++, Swift, Rust and Zig. The library stays loaded until its process ends.
 */
#ifndef FOVEA_PLUGIN_H
#define FOVEA_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The ABI described by this header. */
#define FOVEA_ABI_VERSION 1u

/** The unknown-ness of an image where the model cannot tell: see `unknownness`. */
#define FOVEA_UNKNOWNNESS_UNTOLD (-1.0f)

/** The name of the one symbol that a plugin exports. */
#define FOVEA_PLUGIN_ENTRY "fovea_plugin_entry"

/** Put before the definition of the entry. */
#if defined(__GNUC__)
#define FOVEA_EXPORT __attribute__((visibility("default")))
#else
#define FOVEA_EXPORT
#endif

/** What a plugin does in the chain. */
typedef enum fovea_kind {
    FOVEA_FILTER = 1,     /**< RGB8 to RGB8 of the same shape */
    FOVEA_NORMALIZER = 2, /**< RGB8 to float32 of the same shape */
    FOVEA_CLASSIFIER = 3  /**< float32 images to one row of scores each */
} fovea_kind;

/** How a call ended. */
typedef enum fovea_status {
    FOVEA_OK = 0,
    FOVEA_ERROR_PARAMETERS = 1, /**< the JSON parameters are not acceptable */
    FOVEA_ERROR_MODEL = 2,      /**< the model folder is not acceptable */
    FOVEA_ERROR_SHAPE = 3,      /**< this plugin cannot work on these dimensions */
    FOVEA_ERROR_MEMORY = 4,     /**< out of memory */
    FOVEA_ERROR_INTERNAL = 5    /**< anything else */
} fovea_status;

/** Where a failing call writes its sentence. */
typedef struct fovea_error {
    char *text;      /**< NUL-terminated on return */
    size_t capacity; /**< bytes at `text`, the NUL included; at least 1 */
} fovea_error;

/** Level of a line for the host's log. */
typedef enum fovea_log_level { FOVEA_LOG_DEBUG = 0, FOVEA_LOG_INFO = 1, FOVEA_LOG_WARNING = 2, FOVEA_LOG_ERROR = 3 } fovea_log_level;

/** What the host offers. OWNERSHIP: the host's, valid until the process ends. THREADING: any thread. */
typedef struct fovea_host {
    uint32_t abi_version;
    uint32_t struct_size;
    /** Logs one line, without a line end. May be NULL. */
    void (*log)(fovea_log_level level, const char *text);
} fovea_host;

/** A batch of images, dense and in C order: N x height x width x channels. */
typedef struct fovea_shape {
    int32_t count; /**< images in this batch, at least 1 */
    int32_t height;
    int32_t width;
    int32_t channels;
} fovea_shape;

/** What `create` is told. OWNERSHIP: the caller's, valid during the call only. */
typedef struct fovea_create_args {
    uint32_t struct_size;
    int32_t height;   /**< of every image this instance will see */
    int32_t width;
    int32_t channels; /**< 3 today */
    int32_t classes;  /**< labels of the model: the length of a row of scores */
    int32_t max_count; /**< no batch will be larger */
    const char *parameters; /**< a JSON object, NUL-terminated UTF-8; "{}" when there are none */
    const char *model_directory; /**< the model's folder, for a classifier; otherwise NULL. It can be read
                                      during `create` only: afterwards the process has no right to open files. */
} fovea_create_args;

/** A stage at work; what it points to is the plugin's own business. */
typedef struct fovea_instance fovea_instance;

/** The table that a plugin hands out. OWNERSHIP: the plugin's, constant, valid until the process ends. */
typedef struct fovea_plugin {
    uint32_t abi_version; /**< FOVEA_ABI_VERSION of the header it was compiled with */
    uint32_t struct_size; /**< sizeof(fovea_plugin) of that header */
    fovea_kind kind;
    const char *name;        /**< as in the chain and in the file name: lower case, digits, hyphen */
    const char *version;     /**< of the plugin, for people: "1.0.0" */
    const char *description; /**< one line */

    /** Makes an instance. On failure `*instance` is left alone.
     *  OWNERSHIP: the caller ends the instance with `destroy`. THREADING: any thread, one call at a time. */
    fovea_status (*create)(const fovea_create_args *args, fovea_instance **instance, fovea_error *error);

    /** Ends an instance and frees all it holds. NULL is ignored. */
    void (*destroy)(fovea_instance *instance);

    /** Works on one batch. `input` and `output` never overlap and are aligned to 64 bytes.
     *    filter:      uint8_t N x H x W x C  ->  uint8_t N x H x W x C
     *    normalizer:  uint8_t N x H x W x C  ->  float   N x H x W x C
     *    classifier:  float   N x H x W x C  ->  float   N x classes, probabilities: each finite, from 0 to 1,
     *                                            a row's sum 1
     *  The result for an image must not depend, to the last bit, on the other images of the batch. */
    fovea_status (*process)(fovea_instance *instance, fovea_shape shape, const void *input, void *output,
                            fovea_error *error);

    /* Optional members: NULL, or past the end of an older plugin's struct. */

    /** Touches all memory and starts all that the first batch would otherwise wait for. */
    fovea_status (*warm_up)(fovea_instance *instance, fovea_error *error);

    /** Writes a JSON object about the instance (architecture, parameters, instruction set …) into `text`,
     *  NUL-terminated, and returns its length without the NUL; a return of `capacity` or more means that
     *  nothing was written and how much room is needed. */
    size_t (*describe)(const fovea_instance *instance, char *text, size_t capacity);

    /** For a classifier: how far each image of the last `process` call on this instance is from all that the model
     *  knows. `output` takes `count` floats, as many as that call had images, in the same order. Each is finite and at
     *  least 0. 1.0 is the model's own threshold: an image above 1 belongs to no class that the model knows.
     *  The value for an image must not depend, to the last bit, on the other images of the batch.
     *  A plugin whose model cannot tell returns FOVEA_OK and writes FOVEA_UNKNOWNNESS_UNTOLD for every image. An
     *  instance can tell of every image or of none: its worker asks before it serves, and holds it to that. */
    fovea_status (*unknownness)(fovea_instance *instance, int32_t count, float *output, fovea_error *error);
} fovea_plugin;

/** The entry symbol. Returns NULL when the plugin cannot work with this host. Cheap: allocates nothing large. */
typedef const fovea_plugin *(*fovea_plugin_entry_function)(const fovea_host *host);

FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *host);

#ifdef __cplusplus
}
#endif
#endif
