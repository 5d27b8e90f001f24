// A view runs over images row by row, so a tensor whose elements lie otherwise is refused.
#include <softscore/core/xtensor.hpp>

#ifdef SOFTSCORE_TWIN
using tensor = softscore::row_major_tensor<float>;
#else
using tensor = xt::xtensor<float, 4, xt::layout_type::column_major>;
#endif

void run(tensor& images) { softscore::as_view(images)[0] = 1.0f; }
