#pragma once

#include <cstddef>
#include <cstdint>

#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/time_grid.hpp>
#include <softscore/sampler/concept.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Everything in one run of a sampler except the sampler: it computes estimates and counts them, draws the noise of the
/// run's images, and knows their xi. Samplers are const and have access to these only through it.
template <class Be, class C, class D, class T>
class sampling_run {
 public:
  using backend = Be;
  using corruption_type = C;
  using denoiser_type = D;
  using value_type = T;

  /// `grid` holds the times of the run; a sampler that prepares for all its times reads it. `given` is what is known
  /// about the images, in host memory that outlives the run.
  sampling_run(Be& be, const C& corruption, const D& denoiser, shape extent, std::uint64_t seed, image_range images,
               view_of<Be, const T> xi, const time_grid* grid = nullptr, const conditioning& given = {})
      : backend_{be},
        corruption_{corruption},
        denoiser_{denoiser},
        extent_{extent},
        seed_{seed},
        images_{images},
        xi_{xi},
        grid_{grid},
        given_{given},
        workspace_{denoiser.template workspace<T>(be, extent)} {}

  Be& on() { return backend_; }
  const C& corruption() const { return corruption_; }
  const D& denoiser() const { return denoiser_; }
  const shape& extent() const { return extent_; }
  /// Which images of the run the batch holds.
  const image_range& images() const { return images_; }
  /// What else is known about the images.
  const conditioning& given() const { return given_; }
  /// The times of the run. Throws `error` if the run was made without a grid.
  const time_grid& grid() const {
    if (grid_ == nullptr) reject("the grid of the run", "missing", "given to a run of this sampler");
    return *grid_;
  }

  /// Calls f(step_at) for every step of the grid, if there is one: for samplers that check before they start.
  template <class F>
  void each_step(const F& f) const {
    for (std::size_t i = 0; grid_ != nullptr && i < grid_->steps(); ++i) f((*grid_)[i]);
  }

  /// Returns an array of the batch's shape, initialized to zero.
  auto make() { return backend_.template make<T>(extent_); }

  /// Stores h(x, t) into `out` and counts the evaluations. Each image may have its own time.
  void estimate(per_image<diffusion_time> times, view_of<Be, const T> x, view_of<Be, T> out) {
    denoiser_.estimate(backend_, condition{images_, times, given_}, x, out, workspace_);
    nfe_ += static_cast<std::size_t>(D::evaluations);
  }

  /// Stores J^T v into `out`, where J is the Jacobian of the last estimate, which was at time t.
  void pullback(diffusion_time t, view_of<Be, const T> v, view_of<Be, T> out)
    requires PullsBack<D, Be, T>
  {
    denoiser_.pullback(backend_, condition{images_, t, given_}, v, out, workspace_);
  }

  /// Stores, for every element, where the variance of an ancestral step lies between its two, according to the
  /// denoiser's last estimate.
  void variance_share(diffusion_time t, view_of<Be, T> out)
    requires LearnsVariance<D, Be, T>
  {
    denoiser_.variance_share(backend_, condition{images_, t, given_}, out, workspace_);
  }

  /// Writes log p_t(x) of each image to `host`, where p_t is the density of x_t.
  void log_density(diffusion_time t, view_of<Be, const T> x, double* host)
    requires KnowsDensity<D, Be, T>
  {
    denoiser_.log_density(backend_, condition{images_, t, given_}, x, host, workspace_);
  }

  /// Stores the standard normal numbers of a step into `out`; a step that draws several times numbers its draws. Throws
  /// `error` unless `draw` is below `noise_key::draws`.
  void normal(const step_at& at, view_of<Be, T> out, std::size_t draw = 0) {
    backend_.normal(key_of(at, draw), images_, out);
  }
  /// Stores the sum of the terms, at most three, plus `factor` times the normal numbers of a step into `out`, in one
  /// pass if the backend can; `noise` is memory for the numbers.
  template <class... Terms>
  void combine_with_normal(const step_at& at, double factor, view_of<Be, T> noise, view_of<Be, T> out,
                           const Terms&... terms) {
    if constexpr (CombinesWithNormal<Be, T>) {
      backend_.combine_with_normal(key_of(at, 0), images_, factor, out, terms...);
    } else {
      normal(at, noise);
      backend_.combine(out, terms..., term{factor, noise});
    }
  }

  /// Writes a uniform number in [0, 1) for each image of the batch to `host`, from a different stream than `normal`'s
  /// numbers for the same step and draw.
  void uniform(const step_at& at, double* host, std::size_t draw = 0) const {
    noise_key key = key_of(at, draw);
    key.stream = noise_stream::acceptance;
    for (std::size_t i = 0; i < images_.count; ++i) host[i] = softscore::uniform(key, images_.first + i, 0);
  }

  /// Stores C_t x into `out`.
  void signal(per_image<diffusion_time> times, view_of<Be, const T> x, view_of<Be, T> out) {
    corruption_.signal(backend_, times, x, out);
  }

  /// Stores (dC_t/dt) x into `out`.
  void signal_derivative(per_image<diffusion_time> times, view_of<Be, const T> x, view_of<Be, T> out)
    requires DifferentiableSignal<C, Be, T>
  {
    corruption_.signal_derivative(backend_, times, x, out);
  }

  /// The xi of the images, if the sampler may know it.
  view_of<Be, const T> background() const
    requires BackgroundCorruption<C>
  {
    return xi_;
  }

  /// Denoiser evaluations per image so far (the NFE of Karras et al. 2022).
  std::size_t nfe() const { return nfe_; }

 private:
  noise_key key_of(const step_at& at, std::size_t draw) const {
    require(draw < noise_key::draws, "number of a draw in a step", draw, "below 256");
    return {seed_, noise_stream::sampling, static_cast<std::uint32_t>(at.index), static_cast<std::uint8_t>(draw)};
  }

  Be& backend_;
  const C& corruption_;
  const D& denoiser_;
  shape extent_;
  std::uint64_t seed_;
  image_range images_;
  view_of<Be, const T> xi_;
  const time_grid* grid_;
  conditioning given_;
  workspace_of<D, Be, T> workspace_;
  std::size_t nfe_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI
