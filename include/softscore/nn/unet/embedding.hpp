#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/channels.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/nn/embedding.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/unet/config.hpp>
#include <softscore/nn/unet/embedding_mlp.hpp>
#include <softscore/nn/unet/given_vector.hpp>
#include <softscore/nn/unet/initial_values.hpp>
#include <softscore/nn/unet/plane_numbers.hpp>
#include <softscore/nn/unet/time_features.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a U-Net knows about an image besides x. It is SiLU of the sum of its time and its class, each through its
/// features or table and dense layers, as in diffusers' UNet2DModel, and of further terms that the config requests. In
/// addition, numbers for its class and time can enter as planes behind x. Labels are optional if there is a table or a
/// one-hot vector: an image without one has `no_label`, or zeros.
template <NetworkTime Time>
class unet_embedding {
 public:
  explicit unet_embedding(const unet_config& c) : c_{c} {}

  std::size_t width() const { return c_.embedding(); }
  /// The number of planes.
  std::size_t plane_count() const { return c_.planes(); }

  void place(parameter_layout& layout, const std::string& name) {
    const std::size_t first = layout.arrays();
    const std::size_t features = c_.features();
    const auto at = [&](const char* part) { return detail::joined_name(name, part); };
    const auto table = [&](std::string called, std::size_t rows, std::size_t columns) {
      return layout.add(std::move(called), {rows, columns}, first_values{0, 1, true});
    };
    if (c_.planes() > 0) planes_.emplace(layout, c_);
    if (width() == 0) return;
    if (has_frequencies())
      times_ = layout.add(at("time_proj.weight"), {features / 2}, first_values{0, 16, true}, false);
    if (c_.time_embedding == unet_time::learned)
      times_ = table(at("time_proj.weight"), c_.num_train_timesteps, features);
    const std::size_t hidden = c_.time_hidden > 0 ? c_.time_hidden : width();
    time_.emplace(layout, at("time_embedding"), features, hidden, width());
    if (c_.augment_features > 0)
      augment_.emplace(layout, at("augment_embedding"), c_.augment_features, features, false);
    if (c_.reads_one_hot()) {
      const bool before = c_.class_embedding == unet_class::one_hot_features;
      one_hot_.emplace(layout, at("class_embedding"), c_.num_class_embeds, before ? features : width(), before);
    }
    if (c_.class_embedding == unet_class::table)
      class_table_ = table(at("class_embedding.weight"), c_.num_class_embeds, width());
    if (c_.class_embedding == unet_class::timestep)
      class_.emplace(layout, at("class_embedding"), features, hidden, width());
    detail::choose_first_values(layout, first, c_.recipe);
  }

  /// Throws `error` for times that are not on the network's scale, and for labels and features that it does not accept.
  void check(const network_input<Time>& input, std::size_t images) const {
    for (std::size_t n = 0; n < (input.times.shared() ? 1 : images); ++n) check_time(input.times[n]);
    check(input.given, images);
  }
  /// Throws `error` for a time that it does not accept.
  void check_time(Time time) const {
    const double t = time.value;
    switch (c_.time_embedding) {
      case unet_time::fourier:
        return require(t > 0 && std::isfinite(t), "a time of a network with Fourier features", t,
                       "positive and finite");
      case unet_time::learned:
        if (!(t >= 0 && t < static_cast<double>(c_.num_train_timesteps) && t == std::floor(t)))
          reject("a time of a network with a table of steps", t,
                 "a whole number between 0 and " + std::to_string(c_.num_train_timesteps - 1));
        return;
      default:
        return require(std::isfinite(t), "a time of a network", t, "finite");
    }
  }
  /// The same as `check` for labels and features alone.
  void check(const conditioning& given, std::size_t images) const {
    const auto& labels = given.labels;
    const std::size_t classes = c_.label_count();
    if (classes == 0)
      require(labels.empty(), "labels given to a network", labels.size(), "none, for this network takes no labels");
    else if (!labels.empty() && labels.size() != images)
      reject("the number of labels", labels.size(), "one for each image, " + std::to_string(images));
    else
      require(!labels.empty() || c_.class_embedding != unet_class::timestep, "labels given to a network", 0,
              "one for each image, for this network embeds them as times");
    const class_label least = c_.class_embedding == unet_class::timestep ? 0 : no_class;
    for (const class_label label : labels)
      if (label < least || (label >= 0 && static_cast<std::size_t>(label) >= classes))
        reject("a label", label,
               "between 0 and " + std::to_string(classes - 1) + (least < 0 ? ", or -1 for no class" : ""));
    const shape extent = given.features.extent(), wanted{images, c_.given_features(), 1, 1};
    if (c_.given_features() == 0)
      require(given.features.empty(), "features given to a network", extent,
              "none, for this network takes no features");
    else if (!given.features.empty() && extent != wanted)
      reject("the extent of the features given to a network", extent, detail::shown(wanted));
  }

  template <class Be, class T>
  struct state {
    std::optional<typename detail::embedding_mlp::template state<Be, T>> time, of_class;
    std::optional<detail::fourier_features<Be, T>> fourier, class_fourier;
    std::optional<typename detail::given_vector::template state<Be, T>> one_hot, augment;
    std::optional<typename detail::plane_numbers::template state<Be, T>> planes;
    std::vector<T> staging;                 // for labels, features and factors
    array_of<Be, T> time_rows, class_rows;  // indices of tables (N,1)
    array_of<Be, T> sum, given, active, d;  // (N,E): before SiLU; of the class; after; gradient
    array_of<Be, T> factors;                // of the output (N,O)
    std::size_t rows{1};                    // of the last evaluation
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with) const {
    Be& be = with.backend();
    const std::size_t n = with.images(), wide = (std::max)(width(), std::size_t{1});
    using features = detail::fourier_features<Be, T>;
    const auto make = [&](std::size_t columns) { return be.template make<T>({n, columns, 1, 1}); };
    const auto of = [&](const auto& part) {
      return part ? std::optional{part->template memory<Be, T>(with)} : std::nullopt;
    };
    const auto fourier = [&](bool wanted) {
      return wanted ? std::optional<features>{std::in_place, be, n, c_.features() / 2} : std::nullopt;
    };
    const bool frequencies = time_.has_value() && has_frequencies();
    return {of(time_),    of(class_),   fourier(frequencies), fourier(frequencies && class_.has_value()),
            of(one_hot_), of(augment_), of(planes_),          std::vector<T>(n * (std::max)(wide, c_.out_channels)),
            make(1),      make(1),      make(wide),           make(wide),
            make(wide),   make(wide),   make(c_.out_channels)};
  }

  /// The embedding (rows,E) that blocks receive; empty if they receive none.
  template <class Be, class T>
  view_of<Be, const T> forward(Be& be, in_of<Be, T> parameters, const network_input<Time>& input, std::size_t rows,
                               state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    m.rows = rows;
    if (planes_) planes_->template forward<Be, T>(be, parameters, input, rows, *m.planes);
    if (!time_) return {};
    const view_of<Be, T> sum = m.sum.view().images(0, rows), active = m.active.view().images(0, rows);
    features_of<Be, T>(be, parameters, rows, *m.time, m.fourier, &m.time_rows,
                       [&](std::size_t n) { return input.times[n].value; });
    add_to_features<Be, T>(be, parameters, input, rows, m);
    time_->template forward<Be, T>(be, parameters, rows, sum, *m.time);
    if (add_class<Be, T>(be, parameters, input, rows, m)) {
      const view_of<Be, T> given = m.given.view().images(0, rows);
      be.combine(sum, term{1.0, sum}, term{1.0, given});
    }
    if (c_.time_embedding == unet_time::fourier) {
      const std::size_t width = c_.out_channels;
      for (std::size_t k = 0; k < rows * width; ++k) m.staging[k] = static_cast<T>(1 / input.times[k / width].value);
      be.upload(m.staging.data(), m.factors.view().images(0, rows));
    }
    if (!c_.embedding_activation) return sum;
    activate_forward(be, activation::silu, constant{sum}, active);
    return active;
  }

  template <class Be, class T>
  view_of<Be, T> gradient(state<Be, T>& m, std::size_t rows) const {
    return m.d.view().images(0, rows);
  }
  /// The numbers for the images' classes and times that enter as planes (rows,P); empty if there are none.
  template <class Be, class T>
  view_of<Be, const T> planes(state<Be, T>& m, std::size_t rows) const {
    return planes_ ? view_of<Be, const T>{m.planes->all.view().images(0, rows)} : view_of<Be, const T>{};
  }
  template <class Be, class T>
  view_of<Be, T> d_planes(state<Be, T>& m, std::size_t rows) const {
    return planes_ ? m.planes->d.view().images(0, rows) : view_of<Be, T>{};
  }
  /// Divides the values of each image by its time, if the time is a sigma with Fourier features.
  template <class Be, class T>
  void scale_output(Be& be, view_of<Be, T> y, state<Be, T>& m) const {
    if (c_.time_embedding == unet_time::fourier)
      scale_channels_forward<Be, T>(be, y, m.factors.view().images(0, m.rows), y);
  }

  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> parameters, out_of<Be, T> gradients, std::size_t rows, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    if (planes_) planes_->template backward<Be, T>(be, parameters, gradients, rows, *m.planes);
    if (!time_) return;
    const view_of<Be, T> d = m.d.view().images(0, rows);
    if (c_.embedding_activation)
      activate_backward(be, activation::silu, constant{m.sum.view().images(0, rows)}, constant{d}, d);
    const bool learned = c_.time_embedding == unet_time::learned,
               before = c_.class_embedding == unet_class::one_hot_features;
    time_->template backward<Be, T>(be, parameters, d, gradients, learned || before || augment_, *m.time);
    const constant d_features = m.time->d_features.view().images(0, rows);
    if (learned)
      scatter_rows(be, constant{m.time_rows.view().images(0, rows)}, d_features,
                   gradients.slice(times_, {c_.num_train_timesteps, c_.features(), 1, 1}));
    if (has_frequencies()) be.for_each(detail::set_zero{}, gradients.slice(times_, {1, c_.features() / 2, 1, 1}));
    if (augment_) augment_->template backward<Be, T>(be, parameters, d_features, gradients, *m.augment);
    if (one_hot_)
      one_hot_->template backward<Be, T>(be, parameters, before ? d_features : constant{d}, gradients, *m.one_hot);
    if (class_) class_->template backward<Be, T>(be, parameters, d, gradients, false, *m.of_class);
    const constant class_rows = m.class_rows.view().images(0, rows);
    if (c_.class_embedding == unet_class::table) scatter_rows(be, class_rows, constant{d}, class_table(gradients));
  }

 private:
  // Sets the features in `of` from `value(n)`, a time or a label.
  template <class Be, class T, class Value>
  void features_of(Be& be, view_of<Be, const T> parameters, std::size_t rows,
                   typename detail::embedding_mlp::template state<Be, T>& of,
                   std::optional<detail::fourier_features<Be, T>>& fourier, array_of<Be, T>* indices,
                   const Value& value) const {
    const view_of<Be, T> features = of.features.view().images(0, rows);
    if (fourier) {
      const bool of_logarithm = c_.time_embedding == unet_time::fourier;
      for (std::size_t n = 0; n < rows; ++n) fourier->set(n, of_logarithm ? std::log(value(n)) : value(n));
      fourier->forward(be, parameters.slice(times_, {c_.features() / 2, 1, 1, 1}), rows, features);
    } else if (c_.time_embedding == unet_time::learned && indices != nullptr) {
      for (std::size_t n = 0; n < rows; ++n) of.staging[n] = static_cast<T>(value(n));
      const view_of<Be, T> rows_of_table = indices->view().images(0, rows);
      be.upload(of.staging.data(), rows_of_table);
      gather_rows(be, parameters.slice(times_, {c_.num_train_timesteps, c_.features(), 1, 1}),
                  view_of<Be, const T>{rows_of_table}, features);
    } else {
      const std::size_t count = features.extent().channels;
      for (std::size_t n = 0; n < rows; ++n)
        detail::sinusoid(value(n), c_.flip_sin_to_cos, c_.freq_shift, std::span{of.staging}.subspan(n * count, count));
      be.upload(of.staging.data(), features);
    }
  }

  // Adds to the features of the time what a class and numbers of the caller contribute there.
  template <class Be, class T>
  void add_to_features(Be& be, view_of<Be, const T> parameters, const network_input<Time>& input, std::size_t rows,
                       state<Be, T>& m) const {
    const view_of<Be, T> features = m.time->features.view().images(0, rows);
    const auto add = [&](view_of<Be, const T> more) {
      be.combine(features, term{1.0, features}, term_of<Be, T>{1.0, more});
    };
    if (c_.class_embedding == unet_class::one_hot_features) {
      const double size = std::sqrt(static_cast<double>(c_.num_class_embeds));
      one_hot_->set_labels(input.given.labels, size, rows, *m.one_hot);
      add(one_hot_->template forward<Be, T>(be, parameters, rows, *m.one_hot));
    }
    if (augment_) {
      augment_->set_numbers(input.given.features, rows, *m.augment);
      add(augment_->template forward<Be, T>(be, parameters, rows, *m.augment));
    }
  }

  // Sets m.given to what the class adds to the embedding; false if nothing is added.
  template <class Be, class T>
  bool add_class(Be& be, view_of<Be, const T> parameters, const network_input<Time>& input, std::size_t rows,
                 state<Be, T>& m) const {
    const view_of<Be, T> given = m.given.view().images(0, rows);
    const auto& labels = input.given.labels;
    if (class_) {
      features_of<Be, T>(be, parameters, rows, *m.of_class, m.class_fourier, nullptr,
                         [&](std::size_t n) { return static_cast<double>(labels[n]); });
      class_->template forward<Be, T>(be, parameters, rows, given, *m.of_class);
      return true;
    }
    if (c_.class_embedding == unet_class::identity) {
      if (input.given.features.empty()) return false;
      for (std::size_t k = 0; k < rows * width(); ++k) m.staging[k] = static_cast<T>(input.given.features[k]);
      be.upload(m.staging.data(), given);
      return true;
    }
    if (c_.class_embedding == unet_class::one_hot) {
      one_hot_->set_labels(labels, 1, rows, *m.one_hot);
      be.combine(given, term_of<Be, T>{1.0, one_hot_->template forward<Be, T>(be, parameters, rows, *m.one_hot)});
      return true;
    }
    if (c_.class_embedding != unet_class::table) return false;
    const T nothing = c_.no_label == null_class::last_row ? static_cast<T>(c_.num_class_embeds - 1) : T(-1);
    for (std::size_t n = 0; n < rows; ++n)
      m.staging[n] = labels.empty() || labels[n] == no_class ? nothing : static_cast<T>(labels[n]);
    const view_of<Be, T> indices = m.class_rows.view().images(0, rows);
    be.upload(m.staging.data(), indices);
    gather_rows(be, class_table(parameters), view_of<Be, const T>{indices}, given);
    return true;
  }

  bool has_frequencies() const {
    return c_.time_embedding == unet_time::fourier || c_.time_embedding == unet_time::fourier_of_time;
  }
  template <class V>
  V class_table(V flat) const {
    return flat.slice(class_table_, {c_.num_class_embeds, width(), 1, 1});
  }

  unet_config c_;
  std::optional<detail::embedding_mlp> time_{}, class_{};
  std::optional<detail::given_vector> one_hot_{}, augment_{};
  std::optional<detail::plane_numbers> planes_{};
  std::size_t times_{}, class_table_{};
};
static_assert(Embedding<unet_embedding<step_index>, archetype_backend, float, step_index> &&
              Embedding<unet_embedding<sigma>, archetype_backend, double, sigma>);
static_assert(GivesPlanes<unet_embedding<step_index>, archetype_backend, float> &&
              ScalesOutput<unet_embedding<sigma>, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
