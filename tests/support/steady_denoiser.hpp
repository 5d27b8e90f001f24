#pragma once

#include <cmath>
#include <cstddef>

#include <softscore/core/config.hpp>
#include <softscore/core/pooled_array.hpp>
#include <softscore/denoiser/concept.hpp>

/// A denoiser of fixed memory for tests of samplers: h = 0.6 x + 0.2 tanh(x) cos(t), element by element.
struct steady_denoiser {
  static constexpr int evaluations = 1;
  struct nothing {};

  template <softscore::Scalar T, class Be>
  nothing workspace(Be&, softscore::shape) const {
    return {};
  }

  template <class Be, class T, class Space>
  void estimate(Be& be, const softscore::condition& q, softscore::view<const T, Space> x, softscore::view<T, Space> out,
                nothing&) const {
    if (q.times.shared()) {
      be.for_each(body{std::cos(q.times[0].value)}, out, x);
      return;
    }
    softscore::detail::pooled_array<softscore::level> times{x.extent().images};
    for (std::size_t i = 0; i < times.size(); ++i) times[i].value = q.times[i].value;
    be.each_pixel(timed_body{}, softscore::each_of(times), x, out);
  }
  template <class Be, class T, class Space>
  void pullback(Be& be, const softscore::condition&, softscore::view<const T, Space> v, softscore::view<T, Space> out,
                nothing&) const {
    be.combine(out, softscore::term<T, Space>{0.6, v});
  }

 public:  // for kernels, which are made of public types only
  struct body {
    double factor;
    template <class T>
    SOFTSCORE_HD void operator()(T& h, const T& x) const {
      h = static_cast<T>(0.6) * x + static_cast<T>(0.2 * factor) * std::tanh(x);
    }
  };
  // Takes each image's time in the place of a level.
  struct timed_body {
    template <class T>
    SOFTSCORE_HD T operator()(softscore::level time, const softscore::shape& s, softscore::pixel p, std::size_t,
                              const T* image) const {
      T h{};
      body{std::cos(time.value)}(h, image[p.offset(s)]);
      return h;
    }
  };
};
