/* Dense linear algebra of OpenBLAS: BLAS (Dongarra et al. 1990) and LAPACK (Anderson et al. 1999).
 *
 * The library is loaded when a program first asks for it, not when the program starts: only a training of own classes needs
 * OpenBLAS, and a machine without it still runs everything else.
 *
 * Matrices are row-major doubles without gaps. A factor is the lower triangle; the elements above the diagonal keep what they had.
 * THREADING: `copenblas_load` may be called from any thread; OpenBLAS shares the work among its own threads.
 * OWNERSHIP: the caller owns every buffer. */
#ifndef COPENBLAS_H
#define COPENBLAS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Loads OpenBLAS once, for `threads` threads. Returns the name of the processor kernels that OpenBLAS chose, such as "Zen", or NULL
 * where the library cannot be loaded; then no other function here may be called. */
const char *copenblas_load(int threads);

/* c[m x n] = op(a) * op(b), with op the transposition where asked for; op(a) is m x k, op(b) is k x n. */
void copenblas_product(int m, int n, int k, const double *a, int transpose_a, const double *b, int transpose_b, double *c);

/* a[n x n] = l * transposed(l) in place. Returns 0, or the order of the leading minor that is not positive. */
int copenblas_factorize(double *a, int n);

/* Solves l * transposed(l) * x = b for b[n x columns], in place. */
void copenblas_solve(const double *l, int n, double *b, int columns);

#ifdef __cplusplus
}
#endif
#endif
