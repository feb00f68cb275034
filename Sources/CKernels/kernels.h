/* All that is compiled once per instruction set, in the order in which it needs one another. */
#include "vectors.h"

#include "products.h"

#include "loops.h"
#include "depthwise.h"
#include "winograd.h"
