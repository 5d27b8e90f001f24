#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include <softscore/backend/activation.hpp>
#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/class_dense.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/conv2d_transposed.hpp>
#include <softscore/nn/layered_network.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/sequential.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Options of `add_net`. The defaults are those of Ng et al. n.d.
struct add_net_options {
  std::size_t classes{10};
  std::size_t kernel{17};
  bool last_relu{true};  ///< as in the document; without it the result can be negative too
};

/// What a network knows about an image if it sees only the class: an embedding without features.
template <NetworkTime Time>
class class_alone {
 public:
  explicit class_alone(std::size_t classes) : classes_{classes} {}

  std::size_t width() const { return 0; }
  void place(parameter_layout&, const std::string&) {}
  /// Throws `error` unless every image has a class.
  void check(const network_input<Time>& input, std::size_t images) const { check(input.given, images); }
  void check(const conditioning& given, std::size_t images) const {
    require(given.labels.size() == images, "the number of labels", given.labels.size(),
            "one for each image, " + detail::shown(images));
    for (const class_label label : given.labels)
      require(label >= 0 && static_cast<std::size_t>(label) < classes_, "a label", label,
              "between 0 and " + detail::shown(classes_ - 1));
    require(given.features.empty(), "features given to a network", given.features.extent(),
            "none, for this network takes no features");
  }

  template <class Be, class T>
  no_memory<Be, T> memory(planning<Be, T>&) const {
    return {};
  }
  template <class Be, class T>
  view_of<Be, const T> forward(Be&, in_of<Be, T>, const network_input<Time>&, std::size_t, no_memory<Be, T>&) const {
    return {};
  }
  template <class Be, class T>
  view_of<Be, T> gradient(no_memory<Be, T>&, std::size_t) const {
    return {};
  }
  template <class Be, class T>
  void backward(Be&, in_of<Be, T>, out_of<Be, T>, std::size_t, no_memory<Be, T>&) const {}

 private:
  std::size_t classes_;
};

namespace detail {
using add_net_body =
    sequential<named<conv2d>, activate, named<class_dense>, activate, named<conv2d_transposed>, activate>;
}

/// The layer that Ng et al. n.d. add after a network without labels, to turn its velocity v (N,C,H,W) towards a class.
/// It is a convolution to one channel without padding, a dense layer for each class, and the transpose of such a
/// convolution, each followed by ReLU. Parameters have the original's names; for three channels of 32 x 32 and ten
/// classes there are 659,658. As the document has it, the last ReLU removes negative velocities. It does not see the
/// time.
template <NetworkTime Time = log_snr>
class add_net : public layered_network<detail::add_net_body, class_alone<Time>> {
 public:
  using time_type = Time;

  /// For images of that shape. Throws `error` for a kernel that is larger than the images, and for no classes.
  template <class = when_called>
  explicit add_net(const shape& image, const add_net_options& options = {})
      : layered_network<detail::add_net_body, class_alone<Time>>{body_for(image, options),
                                                                 class_alone<Time>{options.classes}, image, "", ""},
        options_{options} {}

  const add_net_options& options() const { return options_; }
  /// The number of classes that labels can name.
  std::size_t label_count() const { return options_.classes; }
  /// Throws `error` unless every image has a class, and if anything else is given.
  void check(const conditioning& given, const shape& images) const {
    layered_network<detail::add_net_body, class_alone<Time>>::check(given, images);
    this->embedding().check(given, images.images);
  }

 private:
  static detail::add_net_body body_for(const shape& image, const add_net_options& o) {
    require(o.kernel >= 1 && o.kernel <= (std::min)(image.height, image.width), "the kernel of add_net", o.kernel,
            "between 1 and the lesser side of an image, " + detail::shown((std::min)(image.height, image.width)));
    const conv2d_options inside{.kernel = o.kernel, .padding = conv2d_padding::all(0)};
    return detail::add_net_body{named{"encoder", conv2d{1, inside}},
                                activate{activation::relu},
                                named{"transform", class_dense{o.classes}},
                                activate{activation::relu},
                                named{"decoder", conv2d_transposed{image.channels, inside}},
                                activate{o.last_relu ? activation::relu : activation::none}};
  }

  add_net_options options_;
};
static_assert(Network<add_net<log_snr>, archetype_backend, float, log_snr> &&
              TakesConditioning<add_net<log_snr>, archetype_backend, double, log_snr>);

}  // namespace softscore::inline SOFTSCORE_ABI
