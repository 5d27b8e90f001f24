#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include <softscore/operator/concept.hpp>

namespace softscore {

/// C_w = exp(-w) I: the shrinking signal of variance-preserving diffusion, whose a_t is level -log a_t.
struct scaling {
  template <class Be, Scalar T>
  void apply(Be& be, per_image<level> levels, const_view<T, typename Be::space> in,
             view<T, typename Be::space> out) const {
    if (levels.shared()) {
      be.combine(out, term<T, typename Be::space>{gain(levels[0]), in});
    } else {
      be.each_pixel(body{}, levels, in, out);
    }
  }
  template <class Be, Scalar T>
  void adjoint(Be& be, per_image<level> w, const_view<T, typename Be::space> in,
               view<T, typename Be::space> out) const {
    apply<Be, T>(be, w, in, out);
  }
  double gain(level w) const { return std::exp(-w.value); }

 private:
  struct body {
    template <class T>
    SOFTSCORE_HD T operator()(level w, const shape& s, pixel p, std::size_t, const T* image) const {
      return static_cast<T>(std::exp(-w.value)) * image[p.offset(s)];
    }
  };
};
static_assert(LinearOperator<scaling> && ScalarOperator<scaling>);

}  // namespace softscore
