#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/nn/layer.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// A dense layer for each class, as in the network that Ng et al. n.d. add: x (N,C,H,W), flattened in this order, -> y
/// of the same shape = weight_k x + bias_k with the class k of each image. Its parameters are k.weight (D,D) and k.bias
/// (D) with D = C H W, so a network with it accepts only one image size. It needs a label for every image.
class class_dense : public prepares_nothing {
 public:
  explicit class_dense(std::size_t classes) : classes_{classes} {}

  /// Throws `error` if there are no classes, and unless height and width are known.
  shape place(placement& to, const std::string& name, const shape& in) {
    require(in.plane() > 0, "the input of a dense layer", in, "of a known height and width");
    require(classes_ > 0, "the classes of a dense layer for each", classes_, "at least 1");
    elements_ = in.per_image();
    const double spread = 1 / std::sqrt(static_cast<double>(elements_));
    for (std::size_t k = 0; k < classes_; ++k) {
      const std::string of = name + "." + std::to_string(k);
      weights_.push_back(to.add(of + ".weight", {elements_, elements_}, 0, spread));
      biases_.push_back(to.add(of + ".bias", {elements_}, 0, spread));
    }
    return output(in);
  }
  shape output(const shape& in) const {
    require(elements_ == 0 || in.per_image() == elements_, "the input of a dense layer", in,
            "of the number of elements that it was made for, " + std::to_string(elements_));
    return in.with_images(1);
  }

  // Images are sorted by class before the product and restored to their order after it, so that each class is one
  // product.
  template <class Be, class T>
  struct state {
    planned_array<Be, T> plain, sorted, result;  // (N,C,H,W), then (N,D) twice
    planned_array<Be, T> indices;                // (N): which image is at each position
    std::vector<T> order, back;                  // these on the host, and the inverse order
    std::vector<std::size_t> ends;               // of each class, in the sorted batch
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const shape row{1, elements_, 1, 1};
    const auto plain = with.temporary(in), result = with.temporary(row), indices = with.temporary({1, 1, 1, 1});
    return {plain,
            with.keep(row),
            result,
            indices,
            std::vector<T>(with.images()),
            std::vector<T>(with.images()),
            std::vector<std::size_t>(classes_)};
  }

  /// Throws `error` unless every image has a class that the layer knows.
  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    sort(p, m);
    const view_of<Be, T> plain = m.plain.view(p.images), sorted = m.sorted.view(p.images),
                         result = m.result.view(p.images);
    unpack(be, x, plain);
    move<Be, T>(be, p, m.order, plain.slice(0, rows(p.images)), sorted, m);
    each_class(m, [&](std::size_t k, std::size_t first, std::size_t count) {
      linear_forward(be, view_of<Be, const T>{sorted.images(first, count)}, weights_[k].in(p.parameters),
                     biases_[k].in(p.parameters), result.images(first, count));
    });
    move<Be, T>(be, p, m.back, result, plain.slice(0, rows(p.images)), m);
    pack(be, plain, y);
  }
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, in_of<Be, T> /*x*/, in_of<Be, T> dy, out_of<Be, T> dx,
                state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    const view_of<Be, T> none{}, plain = m.plain.view(p.images), sorted = m.sorted.view(p.images),
                                 result = m.result.view(p.images);
    unpack(be, dy, plain);
    move<Be, T>(be, p, m.order, plain.slice(0, rows(p.images)), result, m);
    for (std::size_t k = 0; k < classes_ && !p.gradients.empty(); ++k)
      if (m.ends[k] == (k == 0 ? 0 : m.ends[k - 1])) {
        be.for_each(detail::set_zero{}, weights_[k].in(p.gradients));
        be.for_each(detail::set_zero{}, biases_[k].in(p.gradients));
      }
    const view_of<Be, T> d_sorted = plain.slice(0, rows(p.images));  // dy has been read
    each_class(m, [&](std::size_t k, std::size_t first, std::size_t count) {
      linear_backward(be, constant{sorted.images(first, count)}, weights_[k].in(p.parameters),
                      constant{result.images(first, count)}, dx.empty() ? none : d_sorted.images(first, count),
                      weights_[k].in(p.gradients), biases_[k].in(p.gradients));
    });
    if (dx.empty()) return;
    move<Be, T>(be, p, m.back, d_sorted, result, m);
    pack(be, result.slice(0, m.plain.extent().with_images(p.images)), dx);
  }

 private:
  shape rows(std::size_t images) const { return {images, elements_, 1, 1}; }

  template <class Be, class T>
  void sort(const pass<Be, T>& p, state<Be, T>& m) const {
    require(p.labels.size() == p.images, "the number of labels", p.labels.size(),
            "one for each image, " + detail::shown(p.images));
    for (const class_label label : p.labels)
      require(label >= 0 && static_cast<std::size_t>(label) < classes_, "a label", label,
              "between 0 and " + detail::shown(classes_ - 1));
    std::size_t place = 0;
    for (std::size_t k = 0; k < classes_; ++k) {
      for (std::size_t n = 0; n < p.images; ++n)
        if (static_cast<std::size_t>(p.labels[n]) == k) {
          m.order[place] = static_cast<T>(n);
          m.back[n] = static_cast<T>(place++);
        }
      m.ends[k] = place;
    }
  }
  // Image n of `to` is image order[n] of `from`.
  template <class Be, class T>
  static void move(Be& be, const pass<Be, T>& p, const std::vector<T>& order, view_of<Be, const T> from,
                   view_of<Be, T> to, state<Be, T>& m) {
    const view_of<Be, T> indices = m.indices.view(p.images);
    be.upload(order.data(), indices);
    gather_rows(be, from, view_of<Be, const T>{indices}, to);
  }
  template <class M, class F>
  void each_class(const M& m, const F& f) const {
    std::size_t first = 0;
    for (std::size_t k = 0; k < classes_; ++k) {
      if (m.ends[k] > first) f(k, first, m.ends[k] - first);
      first = m.ends[k];
    }
  }

  std::size_t classes_, elements_{};
  std::vector<parameter_slice> weights_{}, biases_{};
};
static_assert(Layer<class_dense, archetype_backend, float> && Layer<class_dense, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
