// Counts allocations, in the program that this is linked into: its malloc stands before the C library's.

#pragma once

/// How often this thread has asked for memory.
long allocations_of_this_thread(void);

/// How often for 128 bytes or more.
long large_allocations_of_this_thread(void);
