#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/activate.hpp>
#include <softscore/nn/add_embedding.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/dense.hpp>
#include <softscore/nn/group_norm.hpp>
#include <softscore/nn/layered_network.hpp>
#include <softscore/nn/named.hpp>
#include <softscore/nn/no_embedding.hpp>
#include <softscore/nn/pooling.hpp>
#include <softscore/nn/sequential.hpp>
#include <softscore/nn/time_embedding.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The sizes of a classifier.
struct classifier_sizes {
  std::vector<std::size_t> widths{16, 32, 64};  ///< channels of the stages; each halves height and width
  std::size_t features{64};                     ///< numbers that describe an image before the last layer
  std::size_t classes{10};

  bool operator==(const classifier_sizes&) const = default;
};

/// `net.feature_count()` numbers describe an image, in addition to a score for each of `net.class_count()` classes.
/// `net.features(workspace)` are those of the images that were evaluated last, (N,F,1,1) in plain order. Images have
/// the shape `net.image()`.
template <class N, class Be, class T>
concept GivesFeatures = HasNetworkWorkspace<N, Be, T> && requires(const N net, network_workspace_of<N, Be, T>& ws) {
  { net.feature_count() } -> std::convertible_to<std::size_t>;
  { net.class_count() } -> std::convertible_to<std::size_t>;
  { net.image() } -> std::convertible_to<shape>;
  { net.features(ws) } -> std::convertible_to<view_of<Be, const T>>;
};

namespace detail {

// At most eight groups of at least two channels, or one.
inline std::size_t classifier_groups(std::size_t width) {
  return (std::max)(std::size_t{1}, std::gcd(width, std::size_t{16}) / 2);
}

template <bool Timed>
struct classifier_layers;
template <>
struct classifier_layers<false> {
  using stage =
      sequential<named<conv2d>, named<group_norm>, activate, named<conv2d>, named<group_norm>, activate, max_pool>;
  static stage make(std::size_t width) {
    const std::size_t groups = classifier_groups(width);
    return stage{named{"conv1", conv2d{width}},
                 named{"norm1", group_norm{groups}},
                 activate{activation::silu},
                 named{"conv2", conv2d{width}},
                 named{"norm2", group_norm{groups}},
                 activate{activation::silu},
                 max_pool{}};
  }
};
template <>
struct classifier_layers<true> {
  using stage = sequential<named<conv2d>, named<group_norm>, activate, named<add_embedding>, named<conv2d>,
                           named<group_norm>, activate, max_pool>;
  static stage make(std::size_t width) {
    const std::size_t groups = classifier_groups(width);
    return stage{named{"conv1", conv2d{width}}, named{"norm1", group_norm{groups}},
                 activate{activation::silu},    named{"time", add_embedding{}},
                 named{"conv2", conv2d{width}}, named{"norm2", group_norm{groups}},
                 activate{activation::silu},    max_pool{}};
  }
};

template <bool Timed>
using classifier_trunk =
    sequential<named<sequential<std::vector<typename classifier_layers<Timed>::stage>>>, named<dense>, activate>;
template <bool Timed>
using classifier_body = sequential<named<classifier_trunk<Timed>>, named<dense>>;

template <bool Timed>
classifier_body<Timed> classifier_layers_of(const classifier_sizes& sizes) {
  std::vector<typename classifier_layers<Timed>::stage> stages;
  for (const std::size_t width : sizes.widths) stages.push_back(classifier_layers<Timed>::make(width));
  return classifier_body<Timed>{
      named{"", classifier_trunk<Timed>{named{"stages", sequential{std::move(stages)}},
                                        named{"features", dense{sizes.features}}, activate{activation::silu}}},
      named{"scores", dense{sizes.classes}}};
}

}  // namespace detail

/// A classifier: stages of two 3x3 convolutions, each with group norm and SiLU, and the maximum over every 2x2 pixels;
/// then a dense layer with SiLU, whose outputs are the `features`, and one with a score for each class. Its output is
/// (N,K,1,1); log-probabilities are the scores minus their log-sum-exp. A `Timed` classifier takes the time of x_t: its
/// embedding is added between the convolutions of each stage. It accepts images of one size.
template <bool Timed>
class basic_classifier
    : public layered_network<detail::classifier_body<Timed>, std::conditional_t<Timed, time_embedding, no_embedding>> {
  using embedding_type = std::conditional_t<Timed, time_embedding, no_embedding>;
  using network = layered_network<detail::classifier_body<Timed>, embedding_type>;

 public:
  static constexpr bool timed = Timed;
  static constexpr std::size_t time_features = 64, most_width = 4096, most_side = 4096;

  /// `image` is the shape of the images it classifies; their number does not matter. Throws `error` for sizes out of
  /// range, and for images that are too small for the stages to halve.
  template <class = when_called>
  explicit basic_classifier(classifier_sizes sizes = {}, const shape& image = {1, 1, 28, 28})
      : network{detail::classifier_layers_of<Timed>(checked(sizes, image)), made_embedding(), image, "", "time"},
        sizes_{std::move(sizes)} {}

  const classifier_sizes& sizes() const { return sizes_; }
  std::size_t class_count() const { return sizes_.classes; }
  std::size_t feature_count() const { return sizes_.features; }

  /// Returns the features (N,F,1,1) of the images that were evaluated last with this workspace.
  template <class Be, class T>
  view_of<Be, const T> features(const typename network::template memory<Be, T>& ws) const {
    return network::body_memory(ws).between[0].view(network::images_of(ws));
  }

 private:
  static embedding_type made_embedding() {
    if constexpr (Timed)
      return time_embedding{time_features};
    else
      return {};
  }
  template <class = when_called>
  static const classifier_sizes& checked(const classifier_sizes& sizes, const shape& image) {
    require(!sizes.widths.empty() && sizes.widths.size() <= 16, "the number of widths", sizes.widths.size(),
            "between 1 and 16");
    for (const std::size_t width : sizes.widths)
      require(width >= 1 && width <= most_width, "a width", width, "between 1 and 4096");
    require(sizes.features >= 1 && sizes.features <= most_width, "features", sizes.features, "between 1 and 4096");
    require(sizes.classes >= 2 && sizes.classes <= most_width, "classes", sizes.classes, "between 2 and 4096");
    require(image.channels >= 1 && image.channels <= most_width, "the image's channels", image.channels,
            "between 1 and 4096");
    const std::size_t least = std::size_t{1} << sizes.widths.size();
    require(image.height >= least && image.height <= most_side && image.width >= least && image.width <= most_side,
            "the image's shape", image,
            "between " + std::to_string(least) + " and 4096 pixels high and wide, for each stage halves both");
    return sizes;
  }

  classifier_sizes sizes_;
};

/// A classifier of clean images, or of images with noise whose level it does not see.
using classifier = basic_classifier<false>;
/// A classifier of x_t that takes the time.
using timed_classifier = basic_classifier<true>;

static_assert(Network<classifier, archetype_backend, float> && Network<timed_classifier, archetype_backend, double>);
static_assert(GivesFeatures<classifier, archetype_backend, float> && StatesOutput<classifier>);

}  // namespace softscore::inline SOFTSCORE_ABI
