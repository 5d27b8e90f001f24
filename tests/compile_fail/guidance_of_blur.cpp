// Under a blur the score does not give the estimate, so a classifier's gradient cannot change it.
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/two_stage.hpp>
#include <softscore/denoiser/classifier_guided.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/sampler/momentum.hpp>

#include "support/draw.hpp"

struct indifferent {
  struct nothing {};
  template <softscore::Scalar T, class Be>
  nothing workspace(Be&, softscore::shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void gradient(Be& be, const softscore::condition&, softscore::view<const T, Space> x, softscore::view<T, Space> out,
                nothing&) const {
    be.combine(out, softscore::term<T, Space>{0.0, x});
  }
};

#ifdef SOFTSCORE_TWIN
using family = softscore::identity;
#else
using family = softscore::gaussian_blur;
#endif

void run() {
  const softscore::corruption corruption{family{}, softscore::two_stage{}};
  draw(softscore::momentum{}, corruption, softscore::classifier_guided{echo{}, corruption, indifferent{}});
}
