#include "copenblas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Fortran's conventions: everything by reference, column-major. The hidden lengths of character arguments are passed too, as
 * gfortran does since version 8. */
typedef void gemm_function(const char *, const char *, const int *, const int *, const int *, const double *, const double *,
                           const int *, const double *, const int *, const double *, double *, const int *, size_t, size_t);
typedef void potrf_function(const char *, const int *, double *, const int *, int *, size_t);
typedef void potrs_function(const char *, const int *, const int *, const double *, const int *, double *, const int *, int *,
                            size_t);

static gemm_function *gemm;
static potrf_function *potrf;
static potrs_function *potrs;
static const char *core;
static int wanted_threads;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    gemm = (gemm_function *)dlsym(library, "dgemm_");
    potrf = (potrf_function *)dlsym(library, "dpotrf_");
    potrs = (potrs_function *)dlsym(library, "dpotrs_");
    void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
    char *(*corename)(void) = (char *(*)(void))dlsym(library, "openblas_get_corename");
    if (!gemm || !potrf || !potrs) return;
    if (set_threads) set_threads(wanted_threads);
    const char *name = corename ? corename() : NULL;
    core = name ? name : "unknown";
}

const char *copenblas_load(int threads) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    if (!wanted_threads) wanted_threads = threads > 0 ? threads : 1;
    pthread_once(&once, load);
    pthread_mutex_unlock(&mutex);
    return core;
}

/* A row-major matrix is the transposed column-major one: c' = op(b)' * op(a)'. */
void copenblas_product(int m, int n, int k, const double *a, int transpose_a, const double *b, int transpose_b, double *c) {
    const double one = 1, zero = 0;
    const int ld_a = transpose_a ? m : k, ld_b = transpose_b ? k : n;
    gemm(transpose_b ? "T" : "N", transpose_a ? "T" : "N", &n, &m, &k, &one, b, &ld_b, a, &ld_a, &zero, c, &n, 1, 1);
}

/* The lower triangle by rows is the upper one by columns. */
int copenblas_factorize(double *a, int n) {
    int info = 0;
    potrf("U", &n, a, &n, &info, 1);
    return info;
}

/* LAPACK wants the right sides by columns. */
void copenblas_solve(const double *l, int n, double *b, int columns) {
    double *turned = malloc((size_t)n * (size_t)columns * sizeof(double));
    if (!turned) abort();
    for (int i = 0; i < n; i++)
        for (int j = 0; j < columns; j++) turned[(size_t)j * n + i] = b[(size_t)i * columns + j];
    int info = 0;
    potrs("U", &n, &columns, l, &n, turned, &n, &info, 1);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < columns; j++) b[(size_t)i * columns + j] = turned[(size_t)j * n + i];
    free(turned);
}
