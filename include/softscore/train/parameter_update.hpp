#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <softscore/backend/concept.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/optim/adam.hpp>
#include <softscore/optim/adamw.hpp>
#include <softscore/optim/averages.hpp>
#include <softscore/optim/clip.hpp>
#include <softscore/optim/gradient_sum.hpp>
#include <softscore/optim/learning_rate.hpp>
#include <softscore/train/frozen.hpp>
#include <softscore/train/options.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The parameters of a network in training, with their gradient, the moments of Adam and their average: flat arrays in
/// a backend. An update clips the gradient, takes a step and updates the average, in one pass over memory.
template <class Be>
class parameter_update {
 public:
  /// For a run of `steps` steps in total. Throws `error` for a decay of the learning rate that has no step, and for
  /// prefixes of frozen parameters that match none or all.
  template <class Net>
  parameter_update(Be& be, const Net& network, const training_options& options, std::uint64_t steps)
      : backend_{be},
        ranges_{of_network(network, options.frozen)},
        optimizer_{.learning_rate = options.learning_rate, .weight_decay = options.weight_decay},
        rate_{{options.warmup_steps}, options.learning_rate_decay, last_of(options, steps), options.end_factor},
        average_form_{options.average()},
        batch_{options.batch_size},
        parts_{options.accumulate},
        most_{options.max_grad_norm},
        clip_{most_, network.parameter_count()},
        parameters_{be.template make<float>(flat(network))},
        gradient_{be.template make<float>(flat(network))},
        average_{be.template make<float>(flat(network))},
        first_moment_{be.template make<float>(flat(network))},
        second_moment_{be.template make<float>(flat(network))} {
    if (parts_ > 1) sum_.emplace(be, flat(network));
  }

  /// Sets the parameters, and the average, to those of the host.
  void start(const float* values) {
    backend_.upload(values, parameters_.view());
    backend_.upload(values, average_.view());
  }

  bool averages() const { return static_cast<bool>(average_form_); }
  view_of<Be, float> parameters() { return parameters_.view(); }
  view_of<Be, float> average() { return average_.view(); }
  view_of<Be, float> first_moment() { return first_moment_.view(); }
  view_of<Be, float> second_moment() { return second_moment_.view(); }
  /// The average if there is one, otherwise the parameters.
  view_of<Be, float> evaluated() { return averages() ? average() : parameters(); }
  /// Where the gradient of each part of a batch is set.
  view_of<Be, float> gradient() { return gradient_.view(); }

  /// Call it after the gradient of part 0, 1, ... of a batch has been set; after the last part, the gradient is the
  /// mean of all.
  void add_part(std::size_t part) {
    if (sum_) sum_->add(backend_, part, parts_, gradient());
  }

  /// Takes update `number` (from 1 on) along the gradient. Returns the gradient's norm before clipping, and changes
  /// nothing if that is not finite. If a backend clips without waiting, it returns 0, and `norm_due` returns the norm
  /// later.
  double take(std::uint64_t number) {
    for (const parameter_range& range : ranges_.frozen) backend_.for_each(set_zero{}, part(gradient_, range));
    const view_of<Be, const float> gradient = gradient_.view();
    const double rate_factor = rate_.factor(number);
    if constexpr (ClipsWithoutWaiting<Be>) {
      backend_.measure_norm(gradient, most_);
      each_range(number, rate_factor, 1.0,
                 [&](const auto& body, const auto&... arrays) { backend_.for_each_clipped(body, arrays...); });
      norm_is_due_ = true;
      return 0.0;
    } else {
      const double factor = clip_.template factor<Be, float>(backend_, gradient_.view());
      if (std::isfinite(clip_.norm()))
        each_range(number, rate_factor, factor,
                   [&](const auto& body, const auto&... arrays) { backend_.for_each(body, arrays...); });
      return clip_.norm();
    }
  }

  /// Returns the norm of an update that did not wait for it, once a later result has arrived, and only once. If the
  /// norm is not finite, that update has changed nothing.
  std::optional<double> norm_due() {
    if constexpr (ClipsWithoutWaiting<Be>)
      if (std::exchange(norm_is_due_, false)) return backend_.measured_norm();
    return std::nullopt;
  }

 public:  // for kernels, which can use only public types
  struct set_zero {
    template <class T>
    SOFTSCORE_HD void operator()(T& x) const {
      x = T{};
    }
  };

 private:
  template <class Net>
  static shape flat(const Net& network) {
    return {.images = 1, .width = network.parameter_count()};
  }
  template <class Net>
  static parameter_ranges of_network(const Net& network, const std::vector<std::string>& frozen) {
    const auto& layout = network.layout();
    const bool all =
        frozen.empty() && std::all_of(layout.begin(), layout.end(), [](const parameter& p) { return p.trained; });
    return all ? parameter_ranges{{{0, network.parameter_count()}}, {}} : split_by_name(layout, frozen);
  }
  static std::uint64_t last_of(const training_options& options, std::uint64_t steps) {
    const std::uint64_t last = options.decay_steps > 0 ? options.decay_steps : steps;
    require(options.learning_rate_decay == rate_decay::constant || last > options.warmup_steps,
            "number of steps over which the learning rate decays", 0, "at least 1: the warm-up takes all of them");
    return last;
  }

  static view_of<Be, float> part(array_of<Be, float>& array, const parameter_range& range) {
    return array.view().slice(range.begin, {.images = 1, .width = range.count});
  }

  // Calls `run` with the body and arrays of each range that is trained.
  template <class Run>
  void each_range(std::uint64_t number, double rate_factor, double gradient_factor, const Run& run) {
    const adamw_body both = optimizer_.body(number, rate_factor, gradient_factor);
    for (const parameter_range& range : ranges_.trained) {
      if (optimizer_.weight_decay > 0.0)
        run_range(both, number, range, run);
      else
        run_range(both.update, number, range, run);
    }
  }
  template <class Body, class Run>
  void run_range(const Body& body, std::uint64_t number, const parameter_range& range, const Run& run) {
    const view_of<Be, const float> along = part(gradient_, range);
    if (averages())
      run(averaged_body<Body>{body, average_form_.keep(number, batch_)}, part(parameters_, range),
          part(first_moment_, range), part(second_moment_, range), part(average_, range), along);
    else
      run(body, part(parameters_, range), part(first_moment_, range), part(second_moment_, range), along);
  }

  Be& backend_;
  parameter_ranges ranges_;
  adamw optimizer_;
  learning_rate_schedule rate_;
  ema_schedule average_form_;
  std::size_t batch_, parts_;
  double most_;
  clip clip_;
  bool norm_is_due_{};
  array_of<Be, float> parameters_, gradient_, average_, first_moment_, second_moment_;  // flat
  std::optional<gradient_sum<Be>> sum_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
