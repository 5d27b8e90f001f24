#pragma once

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
#include <softscore/nn/unet/initial_values.hpp>
#include <softscore/nn/unet/time_features.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What a U-Net knows of an image besides x: SiLU of the sum of its time and its class, each through its features or
/// table and dense layers, as diffusers' UNet2DModel has it; and where the config asks for them, the numbers of a class
/// that are seen as planes behind x. Labels are optional where there is a table: an image without one has `no_label`.
template <NetworkTime Time>
class unet_embedding {
 public:
  explicit unet_embedding(const unet_config& c) : c_{c} {}

  std::size_t width() const { return c_.embedding(); }

  void place(parameter_layout& layout, const std::string& name) {
    const std::size_t first = layout.arrays(), base = c_.block_out_channels.front();
    const std::size_t features = c_.time_embedding == unet_time::fourier ? 2 * base : base;
    const auto at = [&](const char* part) { return detail::joined_name(name, part); };
    const auto table = [&](std::string called, std::size_t rows, std::size_t columns) {
      return layout.add(std::move(called), {rows, columns}, first_values{0, 1, true});
    };
    if (c_.class_planes > 0) class_table_ = table("class_emb.weight", c_.class_plane_count, c_.class_planes);
    if (c_.time_embedding == unet_time::fourier)
      times_ = layout.add(at("time_proj.weight"), {base}, first_values{0, 16, true}, false);
    if (c_.time_embedding == unet_time::learned) times_ = table(at("time_proj.weight"), c_.num_train_timesteps, base);
    time_.emplace(layout, at("time_embedding"), features, width());
    if (c_.class_embedding == unet_class::table)
      class_table_ = table(at("class_embedding.weight"), c_.num_class_embeds, width());
    if (c_.class_embedding == unet_class::timestep) class_.emplace(layout, at("class_embedding"), features, width());
    detail::choose_first_values(layout, first, c_.recipe);
  }

  /// Throws `error` for times off the network's scale and for labels and features that it does not take.
  void check(const network_input<Time>& input, std::size_t images) const {
    for (std::size_t n = 0; n < (input.times.shared() ? 1 : images); ++n) check_time(input.times[n]);
    check(input.given, images);
  }
  /// Throws `error` for a time that it does not take.
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
    const shape extent = given.features.extent();
    if (c_.class_embedding != unet_class::identity)
      require(given.features.empty(), "features given to a network", extent,
              "none, for this network takes no features");
    else if (!given.features.empty() && extent != shape{images, width(), 1, 1})
      reject("the extent of the features given to a network", extent, detail::shown(shape{images, width(), 1, 1}));
  }

  template <class Be, class T>
  struct state {
    typename detail::embedding_mlp::template state<Be, T> time;
    std::optional<typename detail::embedding_mlp::template state<Be, T>> of_class;
    std::optional<detail::fourier_features<Be, T>> fourier, class_fourier;
    std::vector<T> staging;                 // for labels, features and factors
    array_of<Be, T> time_rows, class_rows;  // indices of tables (N,1)
    array_of<Be, T> sum, given, active, d;  // (N,E): before SiLU; of the class; after; gradient
    array_of<Be, T> planes, d_planes;       // (N,P)
    array_of<Be, T> factors;                // of the output (N,O)
    std::size_t rows{1};                    // of the last evaluation
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with) const {
    Be& be = with.backend();
    const std::size_t n = with.images(), base = c_.block_out_channels.front();
    const bool fourier = c_.time_embedding == unet_time::fourier, timestep = class_.has_value();
    using features = detail::fourier_features<Be, T>;
    const auto make = [&](std::size_t width) { return be.template make<T>({n, width, 1, 1}); };
    return {time_->memory(with),
            timestep ? std::optional{class_->memory(with)} : std::nullopt,
            fourier ? std::optional<features>{std::in_place, be, n, base} : std::nullopt,
            fourier && timestep ? std::optional<features>{std::in_place, be, n, base} : std::nullopt,
            std::vector<T>(n * (std::max)(width(), c_.out_channels)),
            make(1),
            make(1),
            make(width()),
            make(width()),
            make(width()),
            make(width()),
            make((std::max)(c_.class_planes, std::size_t{1})),
            make((std::max)(c_.class_planes, std::size_t{1})),
            make(c_.out_channels)};
  }

  /// SiLU of the embedding (rows,E).
  template <class Be, class T>
  view_of<Be, const T> forward(Be& be, in_of<Be, T> parameters, const network_input<Time>& input, std::size_t rows,
                               state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    m.rows = rows;
    const view_of<Be, T> sum = m.sum.view().images(0, rows), active = m.active.view().images(0, rows);
    features_of<Be, T>(be, parameters, rows, m.time, m.fourier, &m.time_rows,
                       [&](std::size_t n) { return input.times[n].value; });
    time_->template forward<Be, T>(be, parameters, rows, sum, m.time);
    if (add_class<Be, T>(be, parameters, input, rows, m)) {
      const view_of<Be, T> given = m.given.view().images(0, rows);
      be.combine(sum, term{1.0, sum}, term{1.0, given});
    }
    if (c_.time_embedding == unet_time::fourier) {
      const std::size_t width = c_.out_channels;
      for (std::size_t k = 0; k < rows * width; ++k) m.staging[k] = static_cast<T>(1 / input.times[k / width].value);
      be.upload(m.staging.data(), m.factors.view().images(0, rows));
    }
    activate_forward(be, activation::silu, constant{sum}, active);
    return active;
  }

  template <class Be, class T>
  view_of<Be, T> gradient(state<Be, T>& m, std::size_t rows) const {
    return m.d.view().images(0, rows);
  }
  /// The numbers of the images' classes that are seen as planes (rows,P); empty where there are none.
  template <class Be, class T>
  view_of<Be, const T> planes(state<Be, T>& m, std::size_t rows) const {
    return c_.class_planes > 0 ? view_of<Be, const T>{m.planes.view().images(0, rows)} : view_of<Be, const T>{};
  }
  template <class Be, class T>
  view_of<Be, T> d_planes(state<Be, T>& m, std::size_t rows) const {
    return c_.class_planes > 0 ? m.d_planes.view().images(0, rows) : view_of<Be, T>{};
  }
  /// Divides what belongs to an image by its time where that is a sigma with Fourier features.
  template <class Be, class T>
  void scale_output(Be& be, view_of<Be, T> y, state<Be, T>& m) const {
    if (c_.time_embedding == unet_time::fourier)
      scale_channels_forward<Be, T>(be, y, m.factors.view().images(0, m.rows), y);
  }

  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> parameters, out_of<Be, T> gradients, std::size_t rows, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    const view_of<Be, T> d = m.d.view().images(0, rows);
    activate_backward(be, activation::silu, constant{m.sum.view().images(0, rows)}, constant{d}, d);
    const bool learned = c_.time_embedding == unet_time::learned;
    time_->template backward<Be, T>(be, parameters, d, gradients, learned, m.time);
    if (learned)
      scatter_rows(be, constant{m.time_rows.view().images(0, rows)}, constant{m.time.d_features.view().images(0, rows)},
                   gradients.slice(times_, {c_.num_train_timesteps, c_.block_out_channels.front(), 1, 1}));
    if (c_.time_embedding == unet_time::fourier)
      be.for_each(detail::set_zero{}, gradients.slice(times_, {1, c_.block_out_channels.front(), 1, 1}));
    if (class_) class_->template backward<Be, T>(be, parameters, d, gradients, false, *m.of_class);
    const constant class_rows = m.class_rows.view().images(0, rows);
    if (c_.class_embedding == unet_class::table) scatter_rows(be, class_rows, constant{d}, class_table(gradients));
    if (c_.class_planes > 0)
      scatter_rows(be, class_rows, constant{m.d_planes.view().images(0, rows)}, class_table(gradients));
  }

 private:
  // Sets the features in `of` from `value(n)`, a time or a label.
  template <class Be, class T, class Value>
  void features_of(Be& be, view_of<Be, const T> parameters, std::size_t rows,
                   typename detail::embedding_mlp::template state<Be, T>& of,
                   std::optional<detail::fourier_features<Be, T>>& fourier, array_of<Be, T>* indices,
                   const Value& value) const {
    const std::size_t base = c_.block_out_channels.front();
    const view_of<Be, T> features = of.features.view().images(0, rows);
    if (fourier) {
      for (std::size_t n = 0; n < rows; ++n) fourier->set(n, value(n));
      fourier->forward(be, parameters.slice(times_, {base, 1, 1, 1}), rows, features);
    } else if (c_.time_embedding == unet_time::learned && indices != nullptr) {
      for (std::size_t n = 0; n < rows; ++n) of.staging[n] = static_cast<T>(value(n));
      const view_of<Be, T> rows_of_table = indices->view().images(0, rows);
      be.upload(of.staging.data(), rows_of_table);
      gather_rows(be, parameters.slice(times_, {c_.num_train_timesteps, base, 1, 1}),
                  view_of<Be, const T>{rows_of_table}, features);
    } else {
      const std::size_t count = features.extent().channels;
      for (std::size_t n = 0; n < rows; ++n)
        detail::sinusoid(value(n), c_.flip_sin_to_cos, c_.freq_shift, std::span{of.staging}.subspan(n * count, count));
      be.upload(of.staging.data(), features);
    }
  }

  // Sets m.given to what the class adds to the embedding; false where nothing is added.
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
    if (c_.class_embedding != unet_class::table && c_.class_planes == 0) return false;
    const bool last_row = c_.class_embedding == unet_class::table && c_.no_label == null_class::last_row;
    const T nothing = last_row ? static_cast<T>(c_.num_class_embeds - 1) : T(-1);
    for (std::size_t n = 0; n < rows; ++n)
      m.staging[n] = labels.empty() || labels[n] == no_class ? nothing : static_cast<T>(labels[n]);
    const view_of<Be, T> indices = m.class_rows.view().images(0, rows);
    be.upload(m.staging.data(), indices);
    const bool planes = c_.class_planes > 0;
    gather_rows(be, class_table(parameters), view_of<Be, const T>{indices},
                planes ? m.planes.view().images(0, rows) : given);
    return !planes;
  }

  template <class V>
  V class_table(V flat) const {
    return c_.class_planes > 0 ? flat.slice(class_table_, {c_.class_plane_count, c_.class_planes, 1, 1})
                               : flat.slice(class_table_, {c_.num_class_embeds, width(), 1, 1});
  }

  unet_config c_;
  std::optional<detail::embedding_mlp> time_{}, class_{};
  std::size_t times_{}, class_table_{};
};
static_assert(Embedding<unet_embedding<step_index>, archetype_backend, float, step_index> &&
              Embedding<unet_embedding<sigma>, archetype_backend, double, sigma>);
static_assert(GivesPlanes<unet_embedding<step_index>, archetype_backend, float> &&
              ScalesOutput<unet_embedding<sigma>, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
