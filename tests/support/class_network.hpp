#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/core/shape.hpp>
#include <softscore/nn/concept.hpp>

/// An exact network with classes, for tests of what surrounds networks: it predicts the noise of a variance-preserving
/// corruption, for data whose pixels are N(mean of the label, deviation^2) each, and without a label a mixture of these
/// with equal weights, pixel by pixel (textbook: the mean of x_0 given x_t). It takes the log-SNR, of which a^2 = 1 /
/// (1
/// + exp(-l)), and images of any size. An image beside x, where it is given, is added to the means.
class class_network {
 public:
  using time_type = softscore::log_snr;
  using any_size = std::true_type;

  explicit class_network(std::vector<float> means = {-0.8f, 0.1f, 0.9f}, double deviation = 0.2,
                         softscore::shape image = {1, 1, 4, 4})
      : means_{std::move(means)}, deviation_{deviation}, image_{image.with_images(1)} {}

  softscore::shape image() const { return image_; }
  std::size_t label_count() const { return means_.size(); }
  /// Throws `error` for images of other channels.
  softscore::shape output(const softscore::shape& images) const {
    if (images.channels != image_.channels)
      softscore::reject("the network's input", images, "of " + std::to_string(image_.channels) + " channels");
    return images;
  }
  /// Throws `error` for features.
  void check(const softscore::conditioning& given, const softscore::shape&) const {
    if (!given.features.empty())
      softscore::reject("features given to a network", given.features.extent(), "missing, for this network takes none");
  }

  /// The means of the classes.
  std::span<const float> parameters() const { return means_; }

  template <class Array, class Doubles, class T>
  struct memory {
    Array x, slope;
    Doubles numbers;           // (N,2): log-SNR and label of each image
    Doubles means, beside;     // (K), (N,c,H,W)
    std::vector<double> host;  // what goes there
    std::vector<T> flat;
    bool has_image{};
    std::size_t evaluations{}, images{};  // so far
  };
  template <softscore::Scalar T, class Be>
  auto workspace(Be& be, softscore::shape most) const {
    using array = softscore::array_of<Be, T>;
    using doubles = softscore::array_of<Be, double>;
    return memory<array, doubles, T>{be.template make<T>(most),
                                     be.template make<T>(most),
                                     be.template make<double>({most.images, 1, 1, 2}),
                                     be.template make<double>({1, 1, 1, means_.size()}),
                                     be.template make<double>(most),
                                     std::vector<double>(most.size() + 2 * most.images + means_.size()),
                                     std::vector<T>(means_.size())};
  }

  template <class Be, class T, class M>
  void evaluate(Be& be, const softscore::network_input<time_type>& asked, softscore::view_of<Be, const T> x,
                softscore::out_of<Be, T> out, M& ws) const {
    for (std::size_t k = 0; k < means_.size(); ++k) ws.flat[k] = static_cast<T>(means_[k]);
    run(be, asked, x, out, ws);
  }
  template <class Be, class T, class M>
  void forward(Be& be, softscore::in_of<Be, T> parameters, const softscore::network_input<time_type>& asked,
               softscore::view_of<Be, const T> x, softscore::out_of<Be, T> out, M& ws) const {
    be.download(parameters, ws.flat.data());
    run(be, asked, x, out, ws);
  }
  template <class Be, class T, class M>
  void pullback(Be& be, softscore::view_of<Be, const T> v, softscore::out_of<Be, T> out, M& ws) const {
    const auto x = ws.x.view().images(0, v.extent().images), slope = ws.slope.view().images(0, v.extent().images);
    each_pixel(be, mixture{deviation_, means_.size(), true, ws.has_image}, x, slope, ws);
    be.for_each(product{}, out, v, slope);
  }

 public:  // for kernels, which are made of public types only
  // The predicted noise of a pixel, or its derivative in x.
  struct mixture {
    double deviation;
    std::size_t classes;
    bool derivative, has_image;
    template <class T>
    SOFTSCORE_HD T operator()(softscore::level, const softscore::shape& s, softscore::pixel p, std::size_t image,
                              const T* from, const double* numbers, const double* means, const double* beside) const {
      const double log_ratio = numbers[2 * image], label = numbers[2 * image + 1];
      const double a2 = 1.0 / (1.0 + std::exp(-log_ratio)), sigma2 = 1.0 / (1.0 + std::exp(log_ratio));
      const double a = std::sqrt(a2), sigma = std::sqrt(sigma2), s2 = deviation * deviation;
      const double variance = a2 * s2 + sigma2, gain = a * s2 / variance;
      const double shift = has_image ? beside[image * s.per_image() + p.offset(s)] : 0.0;
      const double x = static_cast<double>(from[p.offset(s)]) - a * shift;
      // Weighed means and their variance, given x.
      double most = -1e300, sum = 0.0, first = 0.0, second = 0.0;
      for (std::size_t k = 0; k < classes; ++k) {
        const double off = x - a * means[k], log_weight = -0.5 * off * off / variance;
        if (considered(label, k) && log_weight > most) most = log_weight;
      }
      for (std::size_t k = 0; k < classes; ++k) {
        if (!considered(label, k)) continue;
        const double off = x - a * means[k], weight = std::exp(-0.5 * off * off / variance - most);
        sum += weight;
        first += weight * means[k];
        second += weight * means[k] * means[k];
      }
      const double mean = first / sum, spread = second / sum - mean * mean;
      const double h = mean + gain * (x - a * mean), slope = gain + (1.0 - gain * a) * a * spread / variance;
      return static_cast<T>(derivative ? (1.0 - a * slope) / sigma : (x - a * h) / sigma);
    }
    SOFTSCORE_HD static bool considered(double label, std::size_t k) {
      return label < 0.0 || label == static_cast<double>(k);
    }
  };
  struct product {
    template <class T>
    SOFTSCORE_HD void operator()(T& out, const T& v, const T& slope) const {
      out = v * slope;
    }
  };

 private:
  template <class Be, class T, class Space, class M>
  static void each_pixel(Be& be, const mixture& body, softscore::view<T, Space> x, softscore::view<T, Space> out,
                         M& ws) {
    using table = softscore::view<const double, Space>;
    be.each_pixel(body, softscore::per_image<softscore::level>{softscore::level{}}, softscore::view<const T, Space>(x),
                  out, table(ws.numbers.view()), table(ws.means.view()), table(ws.beside.view()));
  }
  template <class Be, class T, class M>
  void run(Be& be, const softscore::network_input<time_type>& asked, softscore::view_of<Be, const T> x,
           softscore::view_of<Be, T> out, M& ws) const {
    const std::size_t images = x.extent().images;
    ++ws.evaluations;
    ws.images += images;
    for (std::size_t i = 0; i < images; ++i) {
      ws.host[2 * i] = asked.times[i].value;
      ws.host[2 * i + 1] = asked.given.labels.empty() ? softscore::no_class : asked.given.labels[i];
    }
    be.upload(ws.host.data(), ws.numbers.view().images(0, images));
    for (std::size_t k = 0; k < means_.size(); ++k) ws.host[k] = static_cast<double>(ws.flat[k]);
    be.upload(ws.host.data(), ws.means.view());
    ws.has_image = !asked.given.image.empty();
    if (ws.has_image) {
      for (std::size_t i = 0; i < x.size(); ++i) ws.host[i] = static_cast<double>(asked.given.image[i]);
      be.upload(ws.host.data(), ws.beside.view().images(0, images));
    }
    const auto kept = ws.x.view().images(0, images);
    be.combine(kept, softscore::term{1.0, x});
    each_pixel(be, mixture{deviation_, means_.size(), false, ws.has_image}, kept, out, ws);
  }

  std::vector<float> means_;
  double deviation_;
  softscore::shape image_;
};
static_assert(softscore::TakesLabels<class_network> && softscore::TakesAnySize<class_network>);
