// What stands between the layers of a network is a layer too.
#include <softscore/nn/activate.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/sequential.hpp>

#ifdef SOFTSCORE_TWIN
using between = softscore::activate;
#else
struct between {
  explicit between(softscore::activation) {}
};
#endif

softscore::shape run() {
  return softscore::sequential{softscore::conv2d{8}, between{softscore::activation::silu}, softscore::conv2d{3}}.output(
      {1, 3, 8, 8});
}
