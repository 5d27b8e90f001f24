// The operations of networks as plain loops: serial, and oneTBB's in double.
#define SHARED_OPERATIONS_ARE_DEFINED_HERE
#include "operations.hpp"

namespace softscore {

SHARED_OPERATIONS(, serial_backend, float);
SHARED_OPERATIONS(, serial_backend, double);
#if !defined(__CUDACC__)
SHARED_OPERATIONS(, tbb_backend, double);
SHARED_TBB_PLANS(, double);
#endif

}  // namespace softscore
