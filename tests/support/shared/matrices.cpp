// The products, solutions and eigenvectors that matrices.hpp declares.
#define SHARED_MATRICES_ARE_DEFINED_HERE
#include "matrices.hpp"

namespace Eigen {

SHARED_MATRICES()

}  // namespace Eigen
