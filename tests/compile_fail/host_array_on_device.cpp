// A device's verbs do not take arrays of the host.
#include <utility>

#include <softscore/backend/cuda/device_backend.hpp>

using namespace softscore;

#ifdef SOFTSCORE_TWIN
using space = cuda_space;
#else
using space = host_space;
#endif

struct some_device {};
using backend = device_backend<some_device>;

constexpr bool sum = noexcept(
    std::declval<backend&>().combine(std::declval<view<float, cuda_space>>(), std::declval<term<float, space>>()));
