// The operations of networks on oneTBB in float: the fast kernels.
#define SHARED_OPERATIONS_ARE_DEFINED_HERE
#include "operations.hpp"

namespace softscore {

SHARED_OPERATIONS(, tbb_backend, float);
SHARED_TBB_PLANS(, float);

}  // namespace softscore
