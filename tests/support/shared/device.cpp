// The operations of networks on the device under test: the CUDA backend's tasks.
#define SHARED_OPERATIONS_ARE_DEFINED_HERE
#include "operations.hpp"

namespace softscore {

SHARED_OPERATIONS(, shared_device_backend, float);
SHARED_OPERATIONS(, shared_device_backend, double);
SHARED_DEVICE_PLANS(, shared_device, float);
SHARED_DEVICE_PLANS(, shared_device, double);

}  // namespace softscore
