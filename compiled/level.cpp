// The only symbol of an instruction set that is visible outside (CMakeLists.txt): SOFTSCORE_LEVEL is the name of the
// instruction set, and SOFTSCORE_LEVEL_SYMBOL that of the symbol.
#include "level.hpp"

using namespace softscore;
namespace border = softscore::compiled;

#if SOFTSCORE_LEVEL_NUMBER < 3 && defined(__AVX__)
#error "this file is for processors without AVX: take -mavx and the like out of CMAKE_CXX_FLAGS"
#elif SOFTSCORE_LEVEL_NUMBER < 4 && defined(__AVX512F__)
#error "this file is for processors without AVX-512: take -mavx512f and the like out of CMAKE_CXX_FLAGS"
#endif

constexpr border::kernels SOFTSCORE_LEVEL_SYMBOL{
    .signature = detail::signature_of_kernels,
    .name = SOFTSCORE_LEVEL,
    .make_backend = [](std::size_t threads) -> border::owned {
      return {threads == 0 ? new tbb_backend{} : new tbb_backend{threads},
              [](void* backend) { delete static_cast<tbb_backend*>(backend); }, &SOFTSCORE_LEVEL_SYMBOL};
    },
    .threads = [](void* backend) { return kernel_level::backend_at(backend).threads(); },
    .parallel =
        [](void* backend, std::size_t count, void (*task)(const void*, std::size_t), const void* body) {
          kernel_level::backend_at(backend).parallel(count, [=](std::size_t i) { task(body, i); });
        },
    .threads_began = [] { return tbb_threads::began.load(); },
    .threads_are_lost = [] { tbb_threads::lost.store(true); },
    .of_float = &kernel_level::operations_of_float,
    .of_double = &kernel_level::operations_of_double};
