#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/nn/parameters.hpp>
#include <softscore/nn/planning.hpp>
#include <softscore/nn/unet/config.hpp>
#include <softscore/nn/unet/time_features.hpp>

namespace softscore::inline SOFTSCORE_ABI::detail {

// The numbers of an image that a U-Net sees as constant planes behind x: a row of a table for its class, then cosines
// and sines of its time, as the config requests.
class plane_numbers {
 public:
  plane_numbers(parameter_layout& layout, const unet_config& c)
      : classes_{c.class_plane_count}, of_class_{c.class_planes}, of_time_{c.time_planes} {
    const char* const table = c.form == unet_form::relu ? "class_embed.weight" : "class_emb.weight";
    if (of_time_ > 0) times_ = layout.add("timestep_embed.weight", {of_time_ / 2, 1}, first_values{0, 0.2, true});
    if (of_class_ > 0) table_ = layout.add(table, {classes_, of_class_}, first_values{0, 1, true});
  }

  template <class Be, class T>
  struct state {
    std::vector<T> staging;                           // labels
    array_of<Be, T> rows, of_class, of_time, all, d;  // (N,1), (N,C), (N,F), (N,C+F), its gradient
    std::optional<fourier_features<Be, T>> fourier;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with) const {
    Be& be = with.backend();
    const std::size_t n = with.images();
    const auto make = [&](std::size_t width) {
      return be.template make<T>({n, (std::max)(width, std::size_t{1}), 1, 1});
    };
    using features = fourier_features<Be, T>;
    return {std::vector<T>(n),
            make(1),
            make(of_class_),
            make(of_time_),
            make(of_class_ + of_time_),
            make(of_class_ + of_time_),
            of_time_ > 0 ? std::optional<features>{std::in_place, be, n, of_time_ / 2} : std::nullopt};
  }

  template <class Be, class T, class Input>
  void forward(Be& be, in_of<Be, T> parameters, const Input& input, std::size_t rows, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    const view_of<Be, T> all = m.all.view().images(0, rows);
    const bool both = of_class_ > 0 && of_time_ > 0;
    const view_of<Be, T> of_class = both ? m.of_class.view().images(0, rows) : all,
                         of_time = both ? m.of_time.view().images(0, rows) : all;
    if (of_class_ > 0) {
      const auto& labels = input.given.labels;
      for (std::size_t n = 0; n < rows; ++n) m.staging[n] = static_cast<T>(labels.empty() ? no_class : labels[n]);
      const view_of<Be, T> indices = m.rows.view().images(0, rows);
      be.upload(m.staging.data(), indices);
      gather_rows(be, table_in(constant{parameters}), constant{indices}, of_class);
    }
    if (of_time_ > 0) {
      for (std::size_t n = 0; n < rows; ++n) m.fourier->set(n, input.times[n].value);
      m.fourier->forward(be, times_in(constant{parameters}), rows, of_time, true);
    }
    if (both) concatenate(be, constant{of_class}, constant{of_time}, all);
  }
  // From the gradient that m.d holds.
  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> parameters, out_of<Be, T> gradients, std::size_t rows, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    const view_of<Be, T> d = m.d.view().images(0, rows);
    const bool both = of_class_ > 0 && of_time_ > 0;
    const view_of<Be, T> of_class = both ? m.of_class.view().images(0, rows) : d,
                         of_time = both ? m.of_time.view().images(0, rows) : d;
    if (both) separate(be, constant{d}, of_class, of_time);
    if (of_class_ > 0)
      scatter_rows(be, constant{m.rows.view().images(0, rows)}, constant{of_class},
                   table_in(view_of<Be, T>{gradients}));
    if (of_time_ > 0)
      m.fourier->backward(be, times_in(constant{parameters}), rows, of_time, times_in(view_of<Be, T>{gradients}));
  }

 private:
  template <class V>
  V table_in(V flat) const {
    return flat.slice(table_, {classes_, of_class_, 1, 1});
  }
  template <class V>
  V times_in(V flat) const {
    return flat.slice(times_, {of_time_ / 2, 1, 1, 1});
  }

  std::size_t classes_, of_class_, of_time_, times_{}, table_{};
};

}  // namespace softscore::inline SOFTSCORE_ABI::detail
