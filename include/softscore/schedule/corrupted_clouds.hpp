#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/metric/sinkhorn.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The clouds {C_w x + sigma z} of one set of images at many levels, and the regularized Wasserstein distances between
/// them (Daras et al. 2022, Appendix C). Every level has the same images and the same noise. A debiased distance is the
/// root of `sinkhorn_divergence`: it is 0 between a cloud and itself and takes three transports. Clouds are made when
/// needed, and the last few are kept; pairs run on the backend's threads.
template <HostBackend Be, LinearOperator Op, std::floating_point Real = float>
class corrupted_clouds {
 public:
  /// Keeps at most `kept` clouds. `images` must outlive this object. Throws `error` for fewer than two images, and for
  /// levels that are negative, fall or are not finite; images must be finite too.
  corrupted_clouds(Be& be, Op op, view<const Real, host_space> images, std::vector<double> levels, double sigma,
                   const sinkhorn_options& transport, std::uint64_t seed = 0, std::size_t kept = 96,
                   bool debiased = false)
      : be_{&be},
        operator_{std::move(op)},
        levels_{std::move(levels)},
        sigma_{sigma},
        transport_{transport},
        kept_{kept},
        debiased_{debiased},
        clean_{be.template make<Real>(images.extent())},
        noise_{be.template make<Real>(images.extent())},
        noisy_{be.template make<Real>(images.extent())} {
    require(images.extent().images >= 2, "number of images", images.extent().images, "at least 2");
    require(sigma >= 0.0 && std::isfinite(sigma), "sigma", sigma, "at least 0 and finite");
    require(kept >= 2, "number of clouds kept", kept, "at least 2");
    for (std::size_t k = 0; k < levels_.size(); ++k)
      require(std::isfinite(levels_[k]) && levels_[k] >= (k == 0 ? 0.0 : levels_[k - 1]), "candidate level", levels_[k],
              "finite, at least 0 and at least the one before it");
    transport.check();
    be.combine(clean_.view(), term<Real, host_space>{1.0, images});
    detail::require_finite_rows(as_matrix(clean_.view()), "image", "the set");
    be.normal(noise_key{.seed = seed, .stream = noise_stream::user}, image_range{0, images.extent().images},
              noise_.view());
    find_equals();
  }

  const std::vector<double>& levels() const { return levels_; }
  /// The number of clouds made so far; a cloud that was dropped and made again counts twice.
  std::size_t clouds_made() const { return made_; }
  /// The number of distances computed. Levels between which the operator does not change, such as a mask's, share one
  /// cloud.
  std::size_t pairs() const { return pairs_.size(); }
  /// The number of pairs whose transport stopped before it met the tolerance.
  std::size_t unfinished() const { return unfinished_; }
  /// The largest marginal error of all transports: it tells how accurate the least certain distance is.
  double marginal_error() const { return marginal_error_; }

  /// Writes the distances from level k to the `count` levels that start at `first` into `out`.
  void operator()(std::size_t k, std::size_t first, std::size_t count, double* out) {
    const std::size_t from = equal_[k];
    std::vector<std::size_t> missing;
    for (std::size_t l = first; l < first + count; ++l) {
      const std::size_t to = equal_[l];
      if (!pairs_.contains({from, to}) && (missing.empty() || missing.back() != to)) missing.push_back(to);
    }
    for (std::size_t done = 0; done < missing.size();) {
      const std::size_t part = (std::min)(missing.size() - done, kept_ - 1);
      transport(from, {missing.data() + done, part});
      done += part;
    }
    for (std::size_t j = 0; j < count; ++j) out[j] = pairs_.at({from, equal_[first + j]});
  }

 private:
  // For every level, finds the first one with the same operator: a random image tells any two linear maps apart.
  void find_equals() {
    const shape one = clean_.view().extent().with_images(1);
    auto random = be_->template make<Real>(one), now = be_->template make<Real>(one);
    be_->normal(noise_key{.seed = 1, .stream = noise_stream::user}, image_range{0, 1}, random.view());
    std::vector<Real> before(one.size()), after(one.size());
    for (std::size_t k = 0; k < levels_.size(); ++k) {
      degradation<Op>::apply(operator_, *be_, per_image<level>{level{levels_[k]}},
                             view<const Real, host_space>(random.view()), now.view());
      be_->download(view<const Real, host_space>(now.view()), after.data());
      equal_.push_back(k > 0 && after == before ? equal_.back() : k);
      std::swap(before, after);
    }
  }

  void transport(std::size_t k, std::span<const std::size_t> levels) {
    drop_for(k, levels);
    const auto& from = cloud(k);
    std::vector<const row_matrix<Real>*> to;
    for (const std::size_t l : levels) to.push_back(&cloud(l));
    std::vector<measured> found(levels.size());
    be_->parallel(levels.size(), [&](std::size_t j) { found[j] = distance(from, *to[j]); });
    for (std::size_t j = 0; j < levels.size(); ++j) {
      pairs_[{k, levels[j]}] = std::sqrt(found[j].squared);
      if (!found[j].converged) ++unfinished_;
      marginal_error_ = (std::max)(marginal_error_, found[j].marginal_error);
    }
  }

  struct measured {
    double squared{}, marginal_error{};
    bool converged{};
  };
  measured distance(const row_matrix<Real>& from, const row_matrix<Real>& to) const {
    if (debiased_) {
      const auto found = sinkhorn_divergence_parts<Real>(from, to, transport_);
      return {(std::max)(found.value(), 0.0), found.marginal_error(), found.converged()};  // a NaN is kept
    }
    const auto found = sinkhorn<Real>(squared_distances<Real>(from, to), transport_);
    return {found.cost, found.marginal_error, found.converged};
  }

  const row_matrix<Real>& cloud(std::size_t k) {
    const auto known = clouds_.find(k);
    if (known != clouds_.end()) return known->second;
    degradation<Op>::apply(operator_, *be_, per_image<level>{level{levels_[k]}},
                           view<const Real, host_space>(clean_.view()), noisy_.view());
    be_->combine(noisy_.view(), term{1.0, noisy_.view()}, term{sigma_, noise_.view()});
    ++made_;
    return clouds_.emplace(k, as_matrix(noisy_.view())).first->second;
  }
  // Makes room for the clouds of these levels. Clouds of lower levels, which a rising search no longer needs, are
  // dropped first.
  void drop_for(std::size_t k, std::span<const std::size_t> levels) {
    const auto needed = [&](std::size_t i) {
      return i == k || std::find(levels.begin(), levels.end(), i) != levels.end();
    };
    std::size_t wanted = k != levels.front() && !clouds_.contains(k) ? 1u : 0u;
    for (const std::size_t l : levels)
      if (!clouds_.contains(l)) ++wanted;
    for (auto at = clouds_.begin(); at != clouds_.end() && clouds_.size() + wanted > kept_;)
      at = needed(at->first) ? std::next(at) : clouds_.erase(at);
  }

  Be* be_;
  Op operator_;
  std::vector<double> levels_;
  double sigma_;
  sinkhorn_options transport_;
  std::size_t kept_;
  bool debiased_;
  array_of<Be, Real> clean_, noise_, noisy_;
  std::vector<std::size_t> equal_{};
  std::map<std::size_t, row_matrix<Real>> clouds_{};
  std::map<std::pair<std::size_t, std::size_t>, double> pairs_{};
  std::size_t made_{}, unfinished_{};
  double marginal_error_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI
