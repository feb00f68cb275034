/* example-c: the smallest useful classifier, and the example for authors of plugins.
 *
 * It gives each label a colour and asks which of them the mean colour of an image is nearest to. Parameters:
 *
 *     {"colours": [r, g, b, r, g, b, ...], "sharpness": 10, "reach": 0.5}
 *
 * three numbers for each label, in the units that the normalizer gives; a higher sharpness makes the scores more
 * decided. With "reach", an image whose mean colour is farther than that from all colours belongs to no label. Build it anywhere, with nothing of Fovea but the header:
 *
 *     cc -std=c11 -O2 -fPIC -shared -fvisibility=hidden -I Sources/CFoveaPlugin/include \
 *        -o libfovea-example-c.so Plugins/ExampleC/example.c -lm
 *     foveactl plugin check ./libfovea-example-c.so --classes 2 --parameters '{"colours":[1,-1,-1, -1,1,-1]}'
 */
#include "fovea_plugin.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An instance: whatever you need between calls. Fovea sees only a pointer to it, and runs one call at a time on it,
 * so there are no locks and no globals. */
struct fovea_instance {
    int32_t classes;
    float sharpness;
    float reach;     /* 0: there is none */
    float *distance; /* max_count: of each image of the last batch, to the nearest colour */
    float colours[]; /* classes x 3, and behind them what `distance` points to */
};

/* Every failure comes with a sentence for the person who wrote the configuration. */
static fovea_status fail(fovea_status status, fovea_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, error->capacity, format, arguments);
    va_end(arguments);
    return status;
}

/* --- Parameters: a JSON object. A real plugin would use a JSON library; this one needs two keys. --- */

static const char *blanks(const char *at) { return at + strspn(at, " \t\r\n"); }

/* Reads a number and moves on; 0 where there is none. */
static int number(const char **at, float *value) {
    char *end;
    *at = blanks(*at);
    if (!strchr("-0123456789", **at) || **at == '\0') return 0; /* strtof would take "nan" and "inf" */
    *value = strtof(*at, &end);
    if (end == *at || !isfinite(*value)) return 0;
    *at = blanks(end);
    return 1;
}

static fovea_status parse(const char *at, struct fovea_instance *instance, fovea_error *error) {
    int32_t have = 0, need = instance->classes * 3;
    at = blanks(at);
    if (*at++ != '{') return fail(FOVEA_ERROR_PARAMETERS, error, "the parameters are not a JSON object");
    at = blanks(at);
    while (*at == '"') {
        size_t length = strcspn(++at, "\"");
        const char *key = at;
        at = blanks(at + length + (at[length] == '"'));
        if (*at++ != ':') return fail(FOVEA_ERROR_PARAMETERS, error, "the parameters are not valid JSON");
        at = blanks(at);
        if (length == 9 && memcmp(key, "sharpness", 9) == 0) {
            if (!number(&at, &instance->sharpness) || instance->sharpness <= 0)
                return fail(FOVEA_ERROR_PARAMETERS, error, "\"sharpness\" must be a number above 0");
        } else if (length == 5 && memcmp(key, "reach", 5) == 0) {
            if (!number(&at, &instance->reach) || instance->reach <= 0)
                return fail(FOVEA_ERROR_PARAMETERS, error, "\"reach\" must be a number above 0");
        } else if (length == 7 && memcmp(key, "colours", 7) == 0 && *at == '[') {
            at++;
            have = 0;
            do {
                float value;
                if (!number(&at, &value))
                    return fail(FOVEA_ERROR_PARAMETERS, error, "\"colours\" holds something that is no number");
                if (have < need) instance->colours[have] = value;
                have++;
            } while (*at == ',' && at++);
            if (*at++ != ']') return fail(FOVEA_ERROR_PARAMETERS, error, "\"colours\" is not a list of numbers");
            at = blanks(at);
        } else {
            /* An unknown key is an error: a misspelt one would otherwise be ignored for ever. */
            return fail(FOVEA_ERROR_PARAMETERS, error,
                        "unknown parameter \"%.*s\"; there are \"colours\", \"sharpness\" and \"reach\"", (int)(length < 40 ? length : 40), key);
        }
        if (*at != ',') break;
        at = blanks(at + 1);
    }
    if (*at++ != '}' || *blanks(at) != '\0')
        return fail(FOVEA_ERROR_PARAMETERS, error, "the parameters are not valid JSON");
    if (have != need)
        return fail(FOVEA_ERROR_PARAMETERS, error, "\"colours\" has %d numbers, %d labels need %d", (int)have,
                    (int)instance->classes, (int)need);
    return FOVEA_OK;
}

/* --- The functions of the table --- */

static fovea_status create(const fovea_create_args *args, fovea_instance **instance, fovea_error *error) {
    if (args->channels != 3 || args->classes < 1)
        return fail(FOVEA_ERROR_SHAPE, error, "works on three channels and at least one label");
    size_t colours = (size_t)args->classes * 3;
    struct fovea_instance *made = calloc(1, sizeof *made + (colours + (size_t)args->max_count) * sizeof(float));
    if (made == NULL) return fail(FOVEA_ERROR_MEMORY, error, "no memory for %d labels", (int)args->classes);
    made->classes = args->classes;
    made->sharpness = 10;
    made->distance = made->colours + colours;
    fovea_status status = parse(args->parameters, made, error);
    if (status != FOVEA_OK) {
        free(made);
        return status;
    }
    *instance = made;
    return FOVEA_OK;
}

static void destroy(fovea_instance *instance) { free(instance); }

/* input: N x H x W x 3 floats; output: N x classes, each row positive and summing to 1. Each image is computed by
 * itself in a fixed order, so that its scores do not depend on the batch it rode in. */
static fovea_status process(fovea_instance *instance, fovea_shape shape, const void *input, void *output,
                            fovea_error *error) {
    (void)error;
    size_t pixels = (size_t)shape.height * (size_t)shape.width;
    for (int32_t n = 0; n < shape.count; n++) {
        const float *image = (const float *)input + (size_t)n * pixels * 3;
        float *scores = (float *)output + (size_t)n * (size_t)instance->classes;
        double mean[3] = {0, 0, 0};
        for (size_t i = 0; i < pixels; i++) {
            for (int c = 0; c < 3; c++) mean[c] += image[i * 3 + (size_t)c];
        }
        /* Softmax of minus the squared distance, made safe by subtracting the largest exponent. */
        double largest = -INFINITY, sum = 0;
        for (int32_t k = 0; k < instance->classes; k++) {
            double distance = 0;
            for (int c = 0; c < 3; c++) {
                double difference = mean[c] / (double)pixels - instance->colours[k * 3 + c];
                distance += difference * difference;
            }
            double exponent = -instance->sharpness * distance;
            scores[k] = (float)exponent;
            if (exponent > largest) largest = exponent;
        }
        instance->distance[n] = (float)sqrt(largest / -instance->sharpness);
        for (int32_t k = 0; k < instance->classes; k++) {
            double e = exp((double)scores[k] - largest);
            scores[k] = (float)e;
            sum += e;
        }
        for (int32_t k = 0; k < instance->classes; k++) scores[k] = (float)(scores[k] / sum);
    }
    return FOVEA_OK;
}

/* How far each image of that batch is from all that the labels are: 1 is the threshold, which "reach" gives. Without
 * it, this model cannot tell. */
static fovea_status unknownness(fovea_instance *instance, int32_t count, float *output, fovea_error *error) {
    (void)error;
    for (int32_t n = 0; n < count; n++)
        output[n] = instance->reach > 0 ? instance->distance[n] / instance->reach : FOVEA_UNKNOWNNESS_UNTOLD;
    return FOVEA_OK;
}

static size_t describe(const fovea_instance *instance, char *text, size_t capacity) {
    char line[120];
    int length = snprintf(line, sizeof line, "{\"architecture\":\"nearest mean colour\",\"classes\":%d}",
                          (int)instance->classes);
    if ((size_t)length < capacity) memcpy(text, line, (size_t)length + 1);
    return (size_t)length;
}

/* The table: version and size first, so that any host can tell what it has got. */
static const fovea_plugin plugin = {
    .abi_version = FOVEA_ABI_VERSION,
    .struct_size = sizeof(fovea_plugin),
    .kind = FOVEA_CLASSIFIER,
    .name = "example-c",
    .version = "1.0.0",
    .description = "nearest mean colour, the example for authors of plugins",
    .create = create,
    .destroy = destroy,
    .process = process,
    .warm_up = NULL, /* nothing to warm up */
    .describe = describe,
    .unknownness = unknownness,
};

FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *host) {
    (void)host; /* host->log would take lines for the daemon's log */
    return &plugin;
}
