#include "level.hpp"

namespace softscore::inline SOFTSCORE_ABI::kernel_level {
constexpr border::operations<double> operations_of_double = make_operations<double>();
}
