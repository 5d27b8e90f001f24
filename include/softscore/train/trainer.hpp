#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/checked_size.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/host_array.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/data/staged_batches.hpp>
#include <softscore/denoiser/concept.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/nn/ask_network.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/objective/concept.hpp>
#include <softscore/train/beside_noise.hpp>
#include <softscore/train/options.hpp>
#include <softscore/train/parameter_update.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Everything that training carries from one step to the next. With it and the options, the rest of a run has the same
/// bits whether or not it was interrupted here.
struct training_state {
  std::vector<float> parameters, average, first_moment,
      second_moment;                // as long as the parameters; average may be empty
  std::vector<float> losses;        // of every step so far
  std::vector<double> test_losses;  // after every epoch so far
};

/// Trains the network of a denoiser, one step per call: corrupts a batch, evaluates the objective, and steps by Adam or
/// AdamW. Everything else that is known about the images goes to the network and the objective; a network receives
/// labels only if it takes them. All memory is allocated at construction; a step allocates nothing. The images, and
/// what is known about them, must outlive the trainer.
template <class Be, class C, Trainable<Be, float> D, class O>
class trainer {
 public:
  /// A network that is not initialized yet is initialized from the seed. Throws `error` for invalid options, for more
  /// steps than 2^32 - 1 or than there is memory for, for images of another shape than the network's, for conditions
  /// that are not one per image or that the network does not accept, for times that the network does not accept, and
  /// for a network whose output does not fit the objective.
  trainer(Be& be, const C& corruption, D& denoiser, O objective, view<const float, host_space> images,
          const training_options& options, const conditioning& given = {})
      : backend_{be},
        corruption_{corruption},
        denoiser_{denoiser},
        objective_{std::move(objective)},
        options_{checked(options)},
        batches_{images, options.batch_size, options.seed, options.pixels, given, options.random_flip},
        steps_{checked_steps()},
        share_{share_of_batch()},
        extent_{checked_image(images.extent()).with_images(share_ / options.accumulate)},
        times_(share_),
        labels_(share_),
        beside_{options_.beside_noise, given.image.extent().with_images(1), share_},
        losses_(extent_.images),
        update_{be, denoiser.network(), options_, steps_},
        clean_{be.template make<float>(extent_)},
        xi_{be.template make<float>(extent_)},
        noisy_{be.template make<float>(extent_)},
        output_{be.template make<float>(checked_output())},
        denoiser_memory_{denoiser.template workspace<float>(be, extent_)},
        objective_memory_{objective_.template workspace<float>(be, extent_)} {
    detail::require_needs_of_objective<O, C, D>();
    require_given(given, images.extent(), "training images");
    require(options.label_dropout == 0.0 || network_takes_labels(), "label_dropout", options.label_dropout,
            "0 for a network that takes no labels");
    if (options.label_dropout > 0.0) {
      conditioning one = given.images(0, 1);
      one.labels = {&no_class, 1};
      require_given(one, images.extent().with_images(1), "images whose label is hidden");
    }
    require_times();
    if (!denoiser.network().initialized()) denoiser.network().initialize(options.seed);
    update_.start(denoiser.network().parameters().data());
    reserve_for(history_.losses, "the losses of all steps", {steps()});
    reserve_for(history_.test_losses, "the test losses of all epochs", {options.epochs});
  }

  const training_options& options() const { return options_; }
  /// A description, for people, of how the network is computed; empty if there is none.
  std::string describe() const {
    if constexpr (requires { std::string{denoiser_memory_.network.describe()}; })
      return denoiser_memory_.network.describe();
    else
      return {};
  }
  std::size_t steps_per_epoch() const { return batches_.steps_per_epoch(); }
  std::size_t steps() const { return steps_; }
  /// Steps done so far.
  std::size_t done() const { return history_.losses.size(); }
  std::span<const float> losses() const { return {history_.losses.data(), history_.losses.size()}; }
  std::span<const double> test_losses() const { return {history_.test_losses.data(), history_.test_losses.size()}; }

  /// Takes the next step; returns the batch's mean loss. If the loss or the gradient is not finite, it throws `error`
  /// naming step and batch, and leaves the parameters unchanged. If a device clips, the next step, or `require_finite`,
  /// reports the gradient of this one.
  double step() {
    const std::size_t number = done(), first = first_of_share(), parts = options_.accumulate, each = extent_.images;
    const auto staged = batches_.of(number).images(first, share_);
    const draw drawn{static_cast<std::uint32_t>(number), first, noise_stream::training};
    draw_times(drawn, noise_stream::times, share_);
    draw_given(drawn, batches_.given().images(first, share_));
    double loss = 0.0;
    for (std::size_t part = 0; part < parts; ++part) {
      loss += forward(update_.parameters(), staged.images(part * each, each), drawn, part * each);
      if (part + 1 == parts) loss = accepted(loss / static_cast<double>(share_), number);
      denoiser_.network().backward(backend_, view_of<Be, const float>(update_.parameters()),
                                   view_of<Be, const float>(output_.view()), view_of<Be, float>{}, update_.gradient(),
                                   denoiser_memory_.network);
      update_.add_part(part);
    }
    if constexpr (TrainsTogether<Be>) backend_.average(update_.gradient());
    const double norm = update_.take(number + 1);
    if (!std::isfinite(norm)) refuse("norm of the gradient", norm, number);
    if constexpr (ClipsWithoutWaiting<Be>) {
      backend_.flush();
      if (number + 1 < steps()) batches_.prepare(number + 1);  // while the device works
    }
    history_.losses.push_back(static_cast<float>(loss));
    return loss;
  }

  /// Throws `error` unless test images have the training images' shape; their number does not matter.
  void require_test_shape(const shape& test) const {
    require(test.with_images(1) == extent_.with_images(1), "shape of a test image", test.with_images(1),
            "that of the training images");
  }

  /// Throws `error`, with `what` the images are for, unless the conditions are those that the network accepts, one per
  /// image. Labels are required by a network or an objective that takes them, and allowed otherwise.
  void require_given(const conditioning& given, const shape& images, const char* what) const {
    detail::require_for(what, [&] {
      require_one_per_image(given, images);
      require(!given.labels.empty() || !network_takes_labels(), "number of labels", 0,
              "that of the images, for this network takes labels");
      require(!given.labels.empty() || !NeedsLabels<O>, "number of labels", 0,
              "that of the images, for this objective needs labels");
      conditioning seen = as_network_takes(given);
      std::vector<float> deviations;
      if (beside_.active()) {
        require(!given.image.empty(), "beside_noise", options_.beside_noise, "0 without images beside x");
        require(given.features.empty(), "number of rows of features", given.features.extent().images,
                "0 with beside_noise, whose deviation is the feature of an image");
        deviations = vector_of<float>("deviations of the noise beside x", {images.images});
        seen.features = {deviations.data(), {images.images, 1, 1, 1}};
      }
      if constexpr (ChecksBatch<D>)
        denoiser_.check(seen, images);
      else
        check_conditioning(denoiser_.network(), seen, images);
    });
  }

  /// Returns the mean loss over `images` with one fixed draw of time and noise per image, the same at every call, under
  /// the averaged parameters if there are any. Each image counts once. Throws `error` if there are no images, if they
  /// have another shape than the training images, for `given` as `require_given` does, and if the loss is not finite.
  double test(view<const float, host_space> images, const conditioning& given = {}) {
    const std::size_t count = images.extent().images;
    require(count >= 1, "number of test images", count, "at least 1");
    require_test_shape(images.extent());
    require_given(given, images.extent(), "test images");
    double sum = 0.0;
    for (std::size_t first = 0; first < count; first += extent_.images) {
      const std::size_t part = (std::min)(extent_.images, count - first);
      const auto staged = batches_.borrow(part);
      for (std::size_t i = 0; i < staged.size(); ++i)
        staged[i] = options_.pixels.gain * images.images(first, part)[i] + options_.pixels.offset;
      const draw drawn{0, first, noise_stream::test};
      draw_times(drawn, noise_stream::test_times, part);
      draw_given(drawn, given.images(first, part));
      sum += forward(update_.evaluated(), staged, drawn, 0);
    }
    const double loss = sum / static_cast<double>(count);
    if (!std::isfinite(loss)) reject("the test loss after step " + std::to_string(done()), loss, "finite");
    return loss;
  }

  /// Throws `error` naming step and batch if a parameter is not finite, so that such parameters are never saved.
  void require_finite() {
    double square = 0.0;
    const view_of<Be, const float> parameters = update_.parameters();
    backend_.dot(parameters, parameters, &square);
    require_finite_norm();
    if (!std::isfinite(square)) refuse("squared norm of the parameters", square, done() - 1);
  }

  /// Records a test loss in the history.
  void record_test_loss(double loss) { history_.test_losses.push_back(loss); }

  /// Stores the trained parameters in the denoiser's network, averaged if there is an average.
  void finish() {
    std::vector<float> values(denoiser_.network().parameter_count());
    backend_.download(view_of<Be, const float>(update_.evaluated()), values.data());
    denoiser_.network().set_parameters(values);
  }

  /// Returns a copy of the whole state.
  training_state state() {
    training_state s = history_;
    const auto copy = [&](const view_of<Be, const float>& array, std::vector<float>& out) {
      out.resize(denoiser_.network().parameter_count());
      backend_.download(array, out.data());
    };
    copy(update_.parameters(), s.parameters);
    if (update_.averages()) copy(update_.average(), s.average);
    copy(update_.first_moment(), s.first_moment);
    copy(update_.second_moment(), s.second_moment);
    return s;
  }

  /// Continues from a state. Throws `error`, and changes nothing, if the state is of another network or has more steps
  /// than there are to do.
  void restore(const training_state& s) {
    const std::size_t count = denoiser_.network().parameter_count();
    const bool averages = update_.averages();
    require(s.parameters.size() == count, "number of parameters in the saved state", s.parameters.size(),
            "that of the network, " + std::to_string(count));
    for (const auto* each : {&s.first_moment, &s.second_moment})
      require(each->size() == count, "number of moments in the saved state", each->size(), "that of the parameters");
    require(s.average.size() == (averages ? count : 0), "number of averaged parameters in the saved state",
            s.average.size(), averages ? "that of the parameters" : "0, for these options keep no average");
    require(s.losses.size() <= steps(), "steps of the saved state", s.losses.size(), "at most those to be done");
    backend_.upload(s.parameters.data(), update_.parameters());
    if (averages) backend_.upload(s.average.data(), update_.average());
    backend_.upload(s.first_moment.data(), update_.first_moment());
    backend_.upload(s.second_moment.data(), update_.second_moment());
    history_.losses.assign(s.losses.begin(), s.losses.end());
    reserve_for(history_.losses, "the losses of all steps", {steps()});
    history_.test_losses.assign(s.test_losses.begin(), s.test_losses.end());
  }

 private:
  // What is drawn for a batch of training, or for images of a test; images are counted from number `first` on.
  struct draw {
    std::uint32_t step;
    std::size_t first;
    noise_stream noise;
    bool trains() const { return noise == noise_stream::training; }
  };

  static training_options checked(const training_options& options) {
    options.check();
    return options;
  }

  const shape& checked_image(const shape& images) const {
    if constexpr (KnowsImage<D> && !TakesAnySize<D>)
      require(images.with_images(1) == shape{denoiser_.image()}.with_images(1), "shape of a training image",
              images.with_images(1), "that of the denoiser's images");
    return images;
  }

  // Checks that the network accepts the times that training draws: the first and the last index, or any time.
  void require_times() const {
    if constexpr (requires(diffusion_time t) { denoiser_.check_network_time(t); } &&
                  ChecksNetworkTime<typename D::network_type>) {
      const std::size_t indices = options_.times.indices;
      const diffusion_time last{1.0}, first = indices > 0
                                                  ? diffusion_time{1.0 / static_cast<double>(indices)}
                                                  : options_.times.draw({options_.seed, noise_stream::times, 0, 0}, 0);
      detail::require_for("times that training draws", [&] {
        denoiser_.check_network_time(first);
        if (indices > 0) denoiser_.check_network_time(last);
      });
    }
  }

  // A step's noise is numbered by 32 bits.
  std::size_t checked_steps() const {
    return product_of("epochs x steps of an epoch", {options_.epochs, batches_.steps_per_epoch()},
                      (std::numeric_limits<std::uint32_t>::max)());
  }

  bool network_takes_labels() const {
    if constexpr (TakesLabels<typename D::network_type>) return denoiser_.network().label_count() > 0;
    return false;
  }

  conditioning as_network_takes(conditioning given) const {
    if (!network_takes_labels()) given.labels = {};
    return given;
  }

  // Checks the norm of a step that did not wait for it: if it is not finite, that step has changed nothing.
  void require_finite_norm() {
    const auto norm = update_.norm_due();
    if (!norm || std::isfinite(*norm)) return;
    history_.losses.pop_back();
    refuse("norm of the gradient", *norm, done());
  }
  // Returns the loss of a batch if training may continue.
  double accepted(double loss, std::size_t number) {
    if constexpr (TrainsTogether<Be>) loss = backend_.average(loss);  // so that all of them continue, or none
    require_finite_norm();
    if (!std::isfinite(loss)) refuse("loss", loss, number);
    return loss;
  }

  // How many images of a batch this backend has, and where they begin: all, unless it trains with others.
  std::size_t share_of_batch() const {
    std::size_t share = options_.batch_size;
    if constexpr (TrainsTogether<Be>) {
      require(share % backend_.ranks() == 0, "batch_size", share, "a multiple of the number of ranks");
      share /= backend_.ranks();
      require(share % options_.accumulate == 0, "accumulate", options_.accumulate,
              "a divisor of the images of each rank");
    }
    return share;
  }
  std::size_t first_of_share() const {
    if constexpr (TrainsTogether<Be>) return backend_.rank() * share_;
    return 0;
  }

  // The shape of the network's output for a batch; it must be what the objective accepts.
  shape checked_output() const {
    const shape output = output_extent(denoiser_.network(), extent_);
    if constexpr (StatesNetworkOutput<O>) {
      const shape expected = objective_.output(extent_);
      require(output == expected, "shape of the network's output", output.with_images(1),
              "what this objective takes, " + detail::shown(expected.with_images(1)));
    } else {
      require(output.channels == outputs_of<O>() * extent_.channels, "channels of the network's output",
              output.channels,
              outputs_of<O>() == 1
                  ? "as many as the images', for this objective"
                  : "as many times the images' as this objective says, " + std::to_string(outputs_of<O>()));
      require(output.height == extent_.height && output.width == extent_.width, "shape of the network's output",
              output.with_images(1), "as high and wide as the images, for this objective");
    }
    return output;
  }

  [[noreturn]] void refuse(const char* what, double value, std::size_t number) const {
    reject("the " + std::string{what} + " of step " + std::to_string(number + 1) + " (batch " +
               std::to_string(number % steps_per_epoch() + 1) + " of epoch " +
               std::to_string(number / steps_per_epoch() + 1) + ")",
           value, "finite");
  }

  void draw_times(const draw& of, noise_stream clock, std::size_t count) {
    const noise_key key{options_.seed, clock, of.step, 0};
    for (std::size_t i = 0; i < count; ++i)
      times_[i] = of.trains() ? options_.times.draw(key, of.first + i, options_.batch_size)
                              : options_.times.draw(key, of.first + i);
  }

  // Keeps what is known about those images, without the labels that training hides.
  void draw_given(const draw& of, const conditioning& given) {
    given_ = given;
    const noise_key key{options_.seed, noise_stream::label_dropout, of.step, 0};
    for (std::size_t i = 0; i < given.labels.size(); ++i) {
      const bool hidden =
          of.trains() && options_.label_dropout > 0.0 && uniform(key, of.first + i, 0) < options_.label_dropout;
      labels_[i] = hidden ? no_class : given.labels[i];
    }
    given_.labels = {labels_.data(), given.labels.size()};
    given_ = beside_.of(options_.seed, of.step, of.trains(), of.first, given_);
  }

  // Corrupts the staged images, which are those from `at` on of what was drawn, and evaluates the network with
  // `parameters` and the objective. It leaves the gradient in the network's output in output_, and returns the sum of
  // the losses.
  double forward(view_of<Be, const float> parameters, view<const float, host_space> staged, const draw& drawn,
                 std::size_t at) {
    const std::size_t count = staged.extent().images, first = drawn.first + at;
    const auto part = [&](auto& array) { return array.view().images(0, count); };
    backend_.upload(&staged[0], part(clean_));
    const per_image<diffusion_time> times{std::span<const diffusion_time>{times_}.subspan(at, count)};
    const conditioning given = given_.images(at, count);
    corruption_.draw_xi(backend_, noise_key{options_.seed, drawn.noise, drawn.step, 0}, image_range{first, count},
                        part(xi_));
    corruption_.template corrupt<Be, float>(backend_, times, part(clean_), part(xi_), part(noisy_));
    const condition known{image_range{first, count}, times, as_network_takes(given)};
    std::optional<dropout_draw> dropout;
    if (drawn.trains()) dropout = dropout_draw{options_.seed, drawn.step, first};
    forward_network<Be, float>(backend_, denoiser_, parameters, known, dropout, part(noisy_), part(output_),
                               denoiser_memory_);
    const corrupted_batch<Be, float> corrupted{times, part(clean_), part(xi_), part(noisy_), given};
    objective_.evaluate(backend_, corruption_, denoiser_, denoiser_memory_, corrupted,
                        view_of<Be, const float>(part(output_)), part(output_), losses_.data(), objective_memory_);
    double sum = 0.0;
    for (std::size_t i = 0; i < count; ++i) sum += losses_[i];
    return sum;
  }

  Be& backend_;
  const C& corruption_;
  D& denoiser_;
  O objective_;
  training_options options_;
  staged_batches batches_;
  std::size_t steps_, share_;  // of the run; images of a batch that this backend has
  shape extent_;               // of one part of a batch
  std::vector<diffusion_time> times_;
  std::vector<class_label> labels_;
  detail::noisy_beside beside_;
  conditioning given_{};  // of the current images; it refers to labels_, beside_ and the batch
  std::vector<double> losses_;
  parameter_update<Be> update_;
  array_of<Be, float> clean_, xi_, noisy_;  // part of a batch x image
  array_of<Be, float> output_;              // part of a batch x the network's output
  workspace_of<D, Be, float> denoiser_memory_;
  objective_memory<O, Be, float> objective_memory_;
  training_state history_;  // losses and test losses only; update_ holds the rest
};

}  // namespace softscore::inline SOFTSCORE_ABI
