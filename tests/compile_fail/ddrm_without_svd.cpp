// DDRM works in the singular modes of the measurement.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddrm.hpp>

#include "support/draw.hpp"

// Dims the image, and does not say in which modes.
struct dim {
  template <class Be, class T, class Space>
  void apply(Be& be, softscore::per_image<softscore::level>, softscore::view<const T, Space> in,
             softscore::view<T, Space> out) const {
    be.combine(out, softscore::term<T, Space>{0.5, in});
  }
  template <class Be, class T, class Space>
  void adjoint(Be& be, softscore::per_image<softscore::level> w, softscore::view<const T, Space> in,
               softscore::view<T, Space> out) const {
    apply(be, w, in, out);
  }
};

#ifdef SOFTSCORE_TWIN
using seen = softscore::fade;
#else
using seen = dim;
#endif

void run(const softscore::observation& y) {
  draw(softscore::ddrm{softscore::measurement{seen{}, softscore::level{0.5}}, y},
       softscore::corruption{softscore::scaling{}, softscore::variance_preserving{}});
}
