#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/eigen.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/metric/sinkhorn.hpp>
#include <softscore/operator/concept.hpp>

namespace softscore {

/// The clouds {C_w x + sigma z} of one set of images at many levels, and the regularised Wasserstein distances between
/// them (EQUATIONS S5 (2, 3), D8; 001 App. C): the same images and the same noise at every level. Clouds are made when
/// needed and the last few kept; pairs run on the backend's threads.
template <HostBackend Be, LinearOperator Op>
class corrupted_clouds {
 public:
  /// Keeps at most `kept` clouds. `images` must outlive this. Throws `error` for fewer than two images or levels that
  /// are negative, fall or are not finite.
  corrupted_clouds(Be& be, Op op, view<const float, host_space> images, std::vector<double> levels, double sigma,
                   const sinkhorn_options& transport, std::uint64_t seed = 0, std::size_t kept = 96)
      : be_{&be},
        operator_{std::move(op)},
        levels_{std::move(levels)},
        sigma_{sigma},
        transport_{transport},
        kept_{kept},
        clean_{be.template make<float>(images.extent())},
        noise_{be.template make<float>(images.extent())},
        noisy_{be.template make<float>(images.extent())} {
    require(images.extent().images >= 2, "number of images", images.extent().images, "at least 2");
    require(sigma >= 0.0 && std::isfinite(sigma), "sigma", sigma, "at least 0 and finite");
    require(kept >= 2, "number of clouds kept", kept, "at least 2");
    for (std::size_t k = 0; k < levels_.size(); ++k)
      require(std::isfinite(levels_[k]) && levels_[k] >= (k == 0 ? 0.0 : levels_[k - 1]), "candidate level", levels_[k],
              "finite, at least 0 and at least the one before it");
    transport.check();
    be.combine(clean_.view(), term<float, host_space>{1.0, images});
    be.normal(noise_key{.seed = seed, .stream = noise_stream::user}, batch{0, images.extent().images}, noise_.view());
  }

  const std::vector<double>& levels() const { return levels_; }
  /// Clouds made so far; one that was dropped and made again counts twice.
  std::size_t clouds_made() const { return made_; }
  /// Pairs whose transport stopped before the tolerance was met.
  std::size_t unfinished() const { return unfinished_; }

  /// Writes the distances from level k to `count` levels from `first` on to `out`.
  void operator()(std::size_t k, std::size_t first, std::size_t count, double* out) {
    for (std::size_t done = 0; done < count;) {
      const std::size_t part = std::min(count - done, kept_ - 1);
      drop_for(k, first + done, part);
      const auto& from = cloud(k);
      std::vector<const row_matrix<float>*> to;
      for (std::size_t j = 0; j < part; ++j) to.push_back(&cloud(first + done + j));
      std::vector<sinkhorn_result> found(part);
      be_->parallel(
          part, [&](std::size_t j) { found[j] = sinkhorn<float>(squared_distances<float>(from, *to[j]), transport_); });
      for (std::size_t j = 0; j < part; ++j) {
        out[done + j] = std::sqrt(found[j].cost);
        if (!found[j].converged) ++unfinished_;
      }
      done += part;
    }
  }

 private:
  const row_matrix<float>& cloud(std::size_t k) {
    const auto known = clouds_.find(k);
    if (known != clouds_.end()) return known->second;
    degradation<Op>::apply(operator_, *be_, per_image<level>{level{levels_[k]}},
                           view<const float, host_space>(clean_.view()), noisy_.view());
    be_->combine(noisy_.view(), term{1.0, noisy_.view()}, term{sigma_, noise_.view()});
    ++made_;
    return clouds_.emplace(k, as_matrix(noisy_.view())).first->second;
  }
  // Makes room for the clouds k and first .. first + count - 1: those of lower levels, which a rising search leaves
  // behind, go first.
  void drop_for(std::size_t k, std::size_t first, std::size_t count) {
    const auto needed = [&](std::size_t i) { return i == k || (i >= first && i < first + count); };
    std::size_t wanted = clouds_.contains(k) ? 0u : 1u;
    for (std::size_t i = first; i < first + count; ++i)
      if (!clouds_.contains(i)) ++wanted;
    for (auto at = clouds_.begin(); at != clouds_.end() && clouds_.size() + wanted > kept_;)
      at = needed(at->first) ? std::next(at) : clouds_.erase(at);
  }

  Be* be_;
  Op operator_;
  std::vector<double> levels_;
  double sigma_;
  sinkhorn_options transport_;
  std::size_t kept_;
  array_of<Be, float> clean_, noise_, noisy_;
  std::map<std::size_t, row_matrix<float>> clouds_;
  std::size_t made_{}, unfinished_{};
};

}  // namespace softscore
