#pragma once

#include <concepts>
#include <functional>
#include <utility>

#include <softscore/backend/tbb.hpp>
#include <softscore/denoiser/concept.hpp>

namespace common {

/// A denoiser behind one indirect call per batch, with its own workspace: h(x, t), and J^T v at the last x.
struct estimator {
  using images = softscore::view<const float, softscore::host_space>;
  using result = softscore::view<float, softscore::host_space>;
  std::function<void(const softscore::condition&, images x, result out)> estimate;
  std::function<void(const softscore::condition&, images v, result out)> pullback;
};

/// A denoiser whose type does not depend on its network, so that samplers compile without it. It counts an estimate as
/// one evaluation.
class any_denoiser {
 public:
  /// Makes the estimator for batches of at most that shape.
  using maker = std::function<estimator(softscore::tbb_backend&, const softscore::shape&)>;

  static constexpr int evaluations = 1;
  explicit any_denoiser(maker make) : make_{std::move(make)} {}

  template <softscore::Scalar T>
    requires std::same_as<T, float>
  estimator workspace(softscore::tbb_backend& be, softscore::shape batch) const {
    return make_(be, batch);
  }
  void estimate(softscore::tbb_backend&, const softscore::condition& q, estimator::images x, estimator::result out,
                estimator& ws) const {
    ws.estimate(q, x, out);
  }
  void pullback(softscore::tbb_backend&, const softscore::condition& q, estimator::images v, estimator::result out,
                estimator& ws) const {
    ws.pullback(q, v, out);
  }

 private:
  maker make_;
};

}  // namespace common
