#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/host_array.hpp>
#include <softscore/data/staged_batches.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/objective/concept.hpp>
#include <softscore/optim/adam.hpp>
#include <softscore/optim/clip.hpp>
#include <softscore/optim/linear_warmup.hpp>
#include <softscore/train/options.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Everything that training carries from one step to the next: with it and the options, the rest of a run has the same
/// bits whether or not it was interrupted here.
struct training_state {
  std::vector<float> parameters, average, first_moment,
      second_moment;                // as long as the parameters; average may be empty
  std::vector<float> losses;        // of every step so far
  std::vector<double> test_losses;  // after every epoch so far
};

/// Trains the network of a denoiser, one step a call: corrupts a batch, evaluates the objective, steps by Adam. All
/// memory is made at construction; a step allocates nothing. The images must outlive the trainer.
template <class Be, class C, Trainable<Be, float> D, class O>
class trainer {
 public:
  /// A network that is not initialized yet is initialized from the seed. Throws `error` for options that cannot be
  /// right, for more steps than 2^32 - 1 or than there is memory for, for images of another shape than the network's,
  /// and for a network whose output is not what the objective takes.
  trainer(Be& be, const C& corruption, D& denoiser, O objective, view<const float, host_space> images,
          const training_options& options)
      : backend_{be},
        corruption_{corruption},
        denoiser_{denoiser},
        objective_{std::move(objective)},
        options_{checked(options)},
        batches_{images, options.batch_size, options.seed, options.pixels},
        steps_{checked_steps()},
        optimizer_{.learning_rate = options.learning_rate},
        clip_{options.max_grad_norm, denoiser.network().parameter_count()},
        extent_{checked_image(images.extent()).with_images(share_of_batch())},
        times_(extent_.images),
        losses_(extent_.images),
        parameters_{be.template make<float>(flat())},
        gradient_{be.template make<float>(flat())},
        average_{be.template make<float>(flat())},
        first_moment_{be.template make<float>(flat())},
        second_moment_{be.template make<float>(flat())},
        clean_{be.template make<float>(extent_)},
        xi_{be.template make<float>(extent_)},
        noisy_{be.template make<float>(extent_)},
        output_{be.template make<float>(checked_output())},
        denoiser_memory_{denoiser.template workspace<float>(be, extent_)},
        objective_memory_{objective_.template workspace<float>(be, extent_)} {
    detail::require_needs_of_objective<O, C, D>();
    if (!denoiser.network().initialized()) denoiser.network().initialize(options.seed);
    const auto start = denoiser.network().parameters();
    be.upload(start.data(), parameters_.view());
    be.upload(start.data(), average_.view());
    reserve_for(history_.losses, "the losses of all steps", {steps()});
    reserve_for(history_.test_losses, "the test losses of all epochs", {options.epochs});
  }

  const training_options& options() const { return options_; }
  std::size_t steps_per_epoch() const { return batches_.steps_per_epoch(); }
  std::size_t steps() const { return steps_; }
  /// Steps done so far.
  std::size_t done() const { return history_.losses.size(); }
  std::span<const float> losses() const { return {history_.losses.data(), history_.losses.size()}; }
  std::span<const double> test_losses() const { return {history_.test_losses.data(), history_.test_losses.size()}; }

  /// The next step; returns the batch's mean loss. Throws `error` naming step and batch, and leaves the parameters as
  /// they were, if the loss or the gradient is not finite; where a device clips, a step learns of its gradient from the
  /// next one, or from `require_finite`.
  double step() {
    const std::size_t number = done();
    const std::size_t first = first_of_share();
    double loss = forward(parameters_.view(), batches_.of(number).images(first, extent_.images),
                          static_cast<std::uint32_t>(number), first, noise_stream::training, noise_stream::times);
    if constexpr (TrainsTogether<Be>) loss = backend_.average(loss);  // so that all of them go on, or none
    require_finite_norm();
    if (!std::isfinite(loss)) refuse("loss", loss, number);
    denoiser_.network().backward(backend_, view_of<Be, const float>(parameters_.view()),
                                 view_of<Be, const float>(output_.view()), view_of<Be, float>{}, gradient_.view(),
                                 denoiser_memory_.network);
    if constexpr (TrainsTogether<Be>) backend_.average(gradient_.view());
    const std::uint64_t count = number + 1;
    const double rate_factor = linear_warmup{options_.warmup_steps}.factor(count);
    if constexpr (ClipsWithoutWaiting<Be>) {
      update_on_device(count, rate_factor);
      backend_.flush();
      if (count < steps()) batches_.prepare(count);  // while the device is at work
    } else {
      const double factor = clip_.template factor<Be, float>(backend_, gradient_.view());
      if (!std::isfinite(clip_.norm())) refuse("norm of the gradient", clip_.norm(), number);
      if (averages()) {
        optimizer_.template step_with_average<Be, float>(backend_, count, parameters_.view(), first_moment_.view(),
                                                         second_moment_.view(), average_.view(), gradient_.view(),
                                                         average_keep(count), rate_factor, factor);
      } else {
        optimizer_.template step<Be, float>(backend_, count, parameters_.view(), first_moment_.view(),
                                            second_moment_.view(), gradient_.view(), rate_factor, factor);
      }
    }
    history_.losses.push_back(static_cast<float>(loss));
    return loss;
  }

  /// Throws `error` unless test images are of the training images' shape, whatever their number.
  void require_test_shape(const shape& test) const {
    require(test.with_images(1) == extent_.with_images(1), "shape of a test image", test.with_images(1),
            "that of the training images");
  }

  /// The mean loss over `images` with one fixed draw of time and noise per image, the same at every call, under the
  /// averaged parameters where there are any. Each image counts once. Throws `error` if there are
  /// none, if they are of another shape than the training images, and if the loss is not finite.
  double test(view<const float, host_space> images) {
    const std::size_t count = images.extent().images;
    require(count >= 1, "number of test images", count, "at least 1");
    require_test_shape(images.extent());
    double sum = 0.0;
    for (std::size_t first = 0; first < count; first += extent_.images) {
      const std::size_t part = (std::min)(extent_.images, count - first);
      const auto staged = batches_.borrow(part);
      for (std::size_t i = 0; i < staged.size(); ++i)
        staged[i] = options_.pixels.gain * images.images(first, part)[i] + options_.pixels.offset;
      sum += static_cast<double>(part) * forward(averages() ? average_.view() : parameters_.view(), staged, 0, first,
                                                 noise_stream::test, noise_stream::test_times);
    }
    const double loss = sum / static_cast<double>(count);
    if (!std::isfinite(loss)) reject("the test loss after step " + std::to_string(done()), loss, "finite");
    return loss;
  }

  /// Throws `error` naming step and batch if a parameter is not finite, so that such parameters are never saved.
  void require_finite() {
    double square = 0.0;
    const view_of<Be, const float> parameters = parameters_.view();
    backend_.dot(parameters, parameters, &square);
    require_finite_norm();
    if (!std::isfinite(square)) refuse("squared norm of the parameters", square, done() - 1);
  }

  /// Notes a test loss in the history.
  void record_test_loss(double loss) { history_.test_losses.push_back(loss); }

  /// Gives the denoiser's network the trained parameters, averaged where there is an average.
  void finish() {
    std::vector<float> values(denoiser_.network().parameter_count());
    backend_.download(view_of<Be, const float>(averages() ? average_.view() : parameters_.view()), values.data());
    denoiser_.network().set_parameters(values);
  }

  /// A copy of the whole state.
  training_state state() {
    training_state s = history_;
    const auto copy = [&](auto& array, std::vector<float>& out) {
      out.resize(denoiser_.network().parameter_count());
      backend_.download(view_of<Be, const float>(array.view()), out.data());
    };
    copy(parameters_, s.parameters);
    if (averages()) copy(average_, s.average);
    copy(first_moment_, s.first_moment);
    copy(second_moment_, s.second_moment);
    return s;
  }

  /// Continues from a state. Throws `error`, and changes nothing, if it is of another network or of more steps than
  /// there are to do.
  void restore(const training_state& s) {
    const std::size_t count = denoiser_.network().parameter_count();
    require(s.parameters.size() == count, "number of parameters in the saved state", s.parameters.size(),
            "that of the network, " + std::to_string(count));
    for (const auto* each : {&s.first_moment, &s.second_moment})
      require(each->size() == count, "number of moments in the saved state", each->size(), "that of the parameters");
    require(s.average.size() == (averages() ? count : 0), "number of averaged parameters in the saved state",
            s.average.size(), averages() ? "that of the parameters" : "0, for these options keep no average");
    require(s.losses.size() <= steps(), "steps of the saved state", s.losses.size(), "at most those to be done");
    backend_.upload(s.parameters.data(), parameters_.view());
    if (averages()) backend_.upload(s.average.data(), average_.view());
    backend_.upload(s.first_moment.data(), first_moment_.view());
    backend_.upload(s.second_moment.data(), second_moment_.view());
    history_.losses.assign(s.losses.begin(), s.losses.end());
    reserve_for(history_.losses, "the losses of all steps", {steps()});
    history_.test_losses.assign(s.test_losses.begin(), s.test_losses.end());
  }

 private:
  static training_options checked(const training_options& options) {
    options.check();
    return options;
  }

  const shape& checked_image(const shape& images) const {
    if constexpr (KnowsImage<D>)
      require(images.with_images(1) == shape{denoiser_.image()}.with_images(1), "shape of a training image",
              images.with_images(1), "that of the denoiser's images");
    return images;
  }

  // A step's noise is numbered by 32 bits.
  std::size_t checked_steps() const {
    return product_of("epochs x steps of an epoch", {options_.epochs, batches_.steps_per_epoch()},
                      (std::numeric_limits<std::uint32_t>::max)());
  }

  // Adam with clipping, of which nothing is waited for.
  void update_on_device(std::uint64_t count, double rate_factor)
    requires ClipsWithoutWaiting<Be>
  {
    const view_of<Be, const float> gradient = gradient_.view();
    backend_.measure_norm(gradient, options_.max_grad_norm);
    const adam_body update = optimizer_.body(count, rate_factor);
    if (averages())
      backend_.for_each_clipped(adam_ema_body{update, average_keep(count)}, parameters_.view(), first_moment_.view(),
                                second_moment_.view(), average_.view(), gradient);
    else
      backend_.for_each_clipped(update, parameters_.view(), first_moment_.view(), second_moment_.view(), gradient);
    norm_is_due_ = true;
  }
  // The norm of a step that did not wait for it, once a later result has come: if it is not finite, that step has
  // changed nothing.
  void require_finite_norm() {
    if constexpr (ClipsWithoutWaiting<Be>) {
      if (!std::exchange(norm_is_due_, false) || std::isfinite(backend_.measured_norm())) return;
      history_.losses.pop_back();
      refuse("norm of the gradient", backend_.measured_norm(), done());
    }
  }

  // How many images of a batch are this backend's, and where they begin: all, unless it trains with others.
  std::size_t share_of_batch() const {
    if constexpr (TrainsTogether<Be>) {
      require(options_.batch_size % backend_.ranks() == 0, "batch_size", options_.batch_size,
              "a multiple of the number of ranks");
      return options_.batch_size / backend_.ranks();
    }
    return options_.batch_size;
  }
  std::size_t first_of_share() const {
    if constexpr (TrainsTogether<Be>) return backend_.rank() * extent_.images;
    return 0;
  }

  // What the network gives for a batch, which must be what the objective takes.
  shape checked_output() const {
    const shape output = output_extent(denoiser_.network(), extent_);
    require(output.channels == outputs_of<O>() * extent_.channels, "channels of the network's output", output.channels,
            outputs_of<O>() == 1
                ? "as many as the images', for this objective"
                : "as many times the images' as this objective says, " + std::to_string(outputs_of<O>()));
    return output;
  }

  shape flat() const { return {.images = 1, .width = denoiser_.network().parameter_count()}; }
  bool averages() const { return options_.ema_decay > 0.0; }

  // An average that starts from untrained weights would carry them for long, so its memory grows with the steps.
  double average_keep(std::uint64_t count) const {
    const auto n = static_cast<double>(count);
    return (std::min)(options_.ema_decay, (1.0 + n) / (10.0 + n));
  }

  [[noreturn]] void refuse(const char* what, double value, std::size_t number) const {
    reject("the " + std::string{what} + " of step " + std::to_string(number + 1) + " (batch " +
               std::to_string(number % steps_per_epoch() + 1) + " of epoch " +
               std::to_string(number / steps_per_epoch() + 1) + ")",
           value, "finite");
  }

  // Corrupts the staged images, evaluates the network with `parameters` and the objective; the gradient in the
  // network's output is left in output_. Returns the mean loss.
  double forward(view_of<Be, const float> parameters, view<const float, host_space> staged, std::uint32_t number,
                 std::size_t first, noise_stream noise, noise_stream clock) {
    const std::size_t count = staged.extent().images;
    const auto part = [&](auto& array) { return array.view().images(0, count); };
    backend_.upload(&staged[0], part(clean_));
    const noise_key clock_key{options_.seed, clock, number, 0};
    for (std::size_t i = 0; i < count; ++i)
      times_[i] = clock == noise_stream::times ? options_.times.draw(clock_key, first + i, options_.batch_size)
                                               : options_.times.draw(clock_key, first + i);
    const per_image<diffusion_time> times = each_of(times_);
    corruption_.draw_xi(backend_, noise_key{options_.seed, noise, number, 0}, image_range{first, count}, part(xi_));
    corruption_.template corrupt<Be, float>(backend_, times, part(clean_), part(xi_), part(noisy_));
    denoiser_.network().forward(backend_, parameters, times, view_of<Be, const float>(part(noisy_)), part(output_),
                                denoiser_memory_.network);
    const corrupted_batch<Be, float> corrupted{times, part(clean_), part(xi_), part(noisy_)};
    objective_.evaluate(backend_, corruption_, denoiser_, denoiser_memory_, corrupted,
                        view_of<Be, const float>(part(output_)), part(output_), losses_.data(), objective_memory_);
    double sum = 0.0;
    for (std::size_t i = 0; i < count; ++i) sum += losses_[i];
    return sum / static_cast<double>(count);
  }

  Be& backend_;
  const C& corruption_;
  D& denoiser_;
  O objective_;
  training_options options_;
  staged_batches batches_;
  std::size_t steps_;
  adam optimizer_;
  clip clip_;
  shape extent_;
  std::vector<diffusion_time> times_;
  std::vector<double> losses_;
  bool norm_is_due_{};
  array_of<Be, float> parameters_, gradient_, average_, first_moment_, second_moment_;  // flat
  array_of<Be, float> clean_, xi_, noisy_;                                              // batch x image
  array_of<Be, float> output_;                                                          // batch x the network's output
  workspace_of<D, Be, float> denoiser_memory_;
  objective_memory<O, Be, float> objective_memory_;
  training_state history_;  // losses and test losses only; the arrays above hold the rest
};

}  // namespace softscore::inline SOFTSCORE_ABI
