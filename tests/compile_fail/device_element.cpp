// Elements of an array that the host cannot reach have no subscript.
#include <softscore/core/view.hpp>

struct device_space {
  static constexpr bool host = false;
};

#ifdef SOFTSCORE_TWIN
using space = softscore::host_space;
#else
using space = device_space;
#endif

float first(softscore::view<float, space> v) { return v[0]; }
