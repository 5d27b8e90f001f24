#pragma once

#include <algorithm>
#include <complex>
#include <cstddef>
#include <limits>
#include <memory>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/operator/fft_blur.hpp>
#include <softscore/operator/kronecker_svd.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The singular values and vectors of any real convolution on a torus. V holds the waves cos(2 pi f . p) and sin(2 pi f
/// . p) of every frequency f. A convolution scales both by the absolute value of its transfer function at f, which is a
/// singular value, and shifts them by its phase, which turns V into U. A transform to or from modes costs a pass along
/// each axis and one or two over the modes.
class fourier_svd {
 public:
  /// `transfer(i, j)` is the complex number that multiplies the wave exp(2 pi i (i y / height + j x / width)); j may be
  /// negative.
  template <class Transfer>
  fourier_svd(const shape& image, const Transfer& transfer)
      : products_{degradation<fft_blur>::svd(fft_blur{}, level{0.0}, image)} {
    const std::size_t height = image.height, width = image.width, plane = image.plane();
    mixture waves(plane), shifts(plane);
    std::vector<double> values(plane);
    for (std::size_t y = 0; y < height; ++y)
      for (std::size_t x = 0; x < width; ++x) {
        const wave down = wave_of(y, height), across = wave_of(x, width);
        const bool four = !down.alone && !across.alone;
        // The modes of the axes are products: cos cos, cos sin, sin cos and sin sin. If both axes have a partner, their
        // sums and differences are waves: those of f = (i, j) in the places of cos cos and sin cos, and those of (i,
        // -j) in the places of sin sin and cos sin.
        if (four) {
          const std::size_t other = partner(y) * width + partner(x);
          const bool first = !down.sine, same = down.sine == across.sine;
          waves.set(y * width + x, (first && !same ? -1.0 : 1.0) / std::numbers::sqrt2,
                    (first && same ? -1.0 : 1.0) / std::numbers::sqrt2, other);
        }
        const bool mirrored = four && across.sine;
        const auto periods = static_cast<std::ptrdiff_t>(across.periods);
        const std::complex<double> h =
            transfer(static_cast<std::ptrdiff_t>(down.periods), mirrored ? -periods : periods);
        const double size = std::abs(h);
        values[y * width + x] = size;
        const std::complex<double> turn = size > 0.0 ? h / size : std::complex<double>{1.0};
        if (down.alone && across.alone) {
          shifts.set(y * width + x, turn.real() < 0.0 ? -1.0 : 1.0, 0.0, y * width + x);
        } else {
          // cos and sin of one wave: cos' = cos phi cos - sin phi sin, sin' = sin phi cos + cos phi sin.
          const bool sine = four ? down.sine != across.sine : down.sine || across.sine;
          const std::size_t mate = down.alone ? y * width + partner(x) : partner(y) * width + x;
          shifts.set(y * width + x, turn.real(), sine ? turn.imag() : -turn.imag(), mate);
        }
      }
    // Where a wave is removed, only the rounding of the transfer's sum is left.
    const double floor = static_cast<double>(plane) * std::numeric_limits<double>::epsilon() *
                         *std::max_element(values.begin(), values.end());
    for (double& v : values)
      if (v <= floor) v = 0.0;
    waves_ = waves.kept();
    waves_back_ = waves.transposed().kept();
    shifts_ = shifts.kept();
    shifts_back_ = shifts.transposed().kept();
    for (std::size_t c = 0; c < image.channels; ++c) values_.insert(values_.end(), values.begin(), values.end());
  }

  std::span<const double> values() const { return {values_.data(), values_.size()}; }

  template <class Be, Scalar T>
  void to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    auto scratch = be.template make<T>(in.extent());
    products_.to_modes(be, in, scratch.view());
    be.each_pixel(mix{}, level{}, view_of<Be, const T>(scratch.view()), out, be.constant(waves_));
  }
  template <class Be, Scalar T>
  void from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    auto scratch = be.template make<T>(in.extent());
    be.each_pixel(mix{}, level{}, in, scratch.view(), be.constant(waves_back_));
    products_.from_modes(be, scratch.view(), out);
  }
  template <class Be, Scalar T>
  void measurement_to_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    auto scratch = be.template make<T>(in.extent());
    to_modes<Be, T>(be, in, scratch.view());
    be.each_pixel(mix{}, level{}, view_of<Be, const T>(scratch.view()), out, be.constant(shifts_));
  }
  template <class Be, Scalar T>
  void measurement_from_modes(Be& be, in_of<Be, T> in, out_of<Be, T> out) const {
    auto scratch = be.template make<T>(in.extent());
    be.each_pixel(mix{}, level{}, in, scratch.view(), be.constant(shifts_back_));
    from_modes<Be, T>(be, scratch.view(), out);
  }

 private:
  // Mode k of n along an axis: its periods, whether it is a sine, and whether it lacks a partner of the other kind.
  struct wave {
    std::size_t periods;
    bool sine, alone;
  };
  static wave wave_of(std::size_t k, std::size_t n) {
    const bool alone = k == 0 || (n % 2 == 0 && k + 1 == n);
    return {(k + 1) / 2, !alone && k % 2 == 0, alone};
  }
  static std::size_t partner(std::size_t k) { return k % 2 == 1 ? k + 1 : k - 1; }

  // Every mode becomes a number times itself plus a number times one other mode.
  class mixture {
   public:
    template <class = when_called>
    explicit mixture(std::size_t modes) {
      for (std::size_t k = 0; k < modes; ++k) numbers_.insert(numbers_.end(), {1.0, 0.0, static_cast<double>(k)});
    }
    void set(std::size_t mode, double own, double others, std::size_t other) {
      numbers_[3 * mode] = own;
      numbers_[3 * mode + 1] = others;
      numbers_[3 * mode + 2] = static_cast<double>(other);
    }
    // Partners come in pairs: what a mode takes from the other, the other takes from it.
    template <class = when_called>
    mixture transposed() const {
      mixture turned = *this;
      for (std::size_t k = 0; 3 * k < numbers_.size(); ++k)
        turned.numbers_[3 * k + 1] = numbers_[3 * static_cast<std::size_t>(numbers_[3 * k + 2]) + 1];
      return turned;
    }
    template <class = when_called>
    std::shared_ptr<const std::vector<double>> kept() const {
      return std::make_shared<const std::vector<double>>(numbers_);
    }

   private:
    std::vector<double> numbers_;
  };

 public:  // for kernels, which can use only public types
  struct mix {
    template <class T>
    SOFTSCORE_HD T operator()(level, const shape& s, pixel p, std::size_t, const T* modes, const double* table) const {
      const double* of_mode = table + 3 * (p.row * s.width + p.column);
      return static_cast<T>(of_mode[0]) * modes[p.offset(s)] +
             static_cast<T>(of_mode[1]) * modes[p.channel * s.plane() + static_cast<std::size_t>(of_mode[2])];
    }
  };

 private:
  kronecker_svd products_;
  std::shared_ptr<const std::vector<double>> waves_, waves_back_, shifts_, shifts_back_;
  std::vector<double> values_;
};
static_assert(SingularValues<fourier_svd, archetype_backend, float>);

}  // namespace softscore::inline SOFTSCORE_ABI
