#pragma once

#include <softscore/backend/serial/backend.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/sampler/integrate.hpp>

/// A denoiser that returns what it is given.
struct echo {
  static constexpr int evaluations = 1;
  struct nothing {};

  template <softscore::Scalar T, class Be>
  nothing workspace(Be&, softscore::shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void estimate(Be& be, const softscore::condition&, softscore::view<const T, Space> x, softscore::view<T, Space> out,
                nothing&) const {
    be.combine(out, softscore::term<T, Space>{1.0, x});
  }
};

/// The same with a pullback.
struct differentiable_echo : echo {
  template <class Be, class T, class Space>
  void pullback(Be& be, const softscore::condition&, softscore::view<const T, Space> v, softscore::view<T, Space> out,
                nothing&) const {
    be.combine(out, softscore::term<T, Space>{1.0, v});
  }
};

/// A sampler that keeps x; cases derive from it to declare a need.
struct idle {
  static constexpr int order = 1, evaluations_per_step = 1;
  struct nothing {};

  template <class R>
  nothing start(R&) const {
    return {};
  }
  template <class R>
  void step(R&, nothing&, const softscore::step_at&, softscore::view_in<R>, softscore::view_in<R>) const {}
};

template <class S, class C, class D = echo>
void draw(const S& sampler, const C& corruption, const D& denoiser = {}) {
  using namespace softscore;
  serial_backend be;
  const auto grid = uniform_grid(10);
  integrate(be, sampler, corruption, denoiser, grid, draw_start<float>(be, corruption, grid, {1, 1, 4, 4}, {0, 2}, 1),
            1);
}
