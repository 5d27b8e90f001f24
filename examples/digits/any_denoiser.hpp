#pragma once

#include <concepts>

#include "model.hpp"

namespace digits {

/// A model's denoiser as a type of its own, so that a new sampler compiles without the network.
class any_denoiser {
 public:
  static constexpr int evaluations = 1;
  explicit any_denoiser(const model& made) : model_{&made} {}

  template <softscore::Scalar T>
    requires std::same_as<T, float>
  estimator workspace(softscore::tbb_backend& be, softscore::shape batch) const {
    return model_->denoiser(be, batch);
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
  const model* model_;
};

}  // namespace digits
