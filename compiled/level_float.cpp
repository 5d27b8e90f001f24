#include "level.hpp"

namespace softscore::inline SOFTSCORE_ABI::kernel_level {
constexpr border::operations<float> operations_of_float = make_operations<float>();
}
