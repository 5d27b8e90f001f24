#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <softscore/denoiser/concept.hpp>

/// A network without layers, for tests of what surrounds networks: phi = p_0 x + p_1 t + p_2 x^2, element by element,
/// with three parameters. Its pullback uses the x of the last evaluation.
class scripted_network {
 public:
  explicit scripted_network(softscore::shape image = {1, 1, 4, 4}) : image_{image} {}

  softscore::shape image() const { return image_; }
  std::size_t parameter_count() const { return 3; }
  int layout() const { return 0; }
  std::span<const float> parameters() const { return parameters_; }
  std::span<float> mutable_parameters() { return parameters_; }
  void set_parameters(std::span<const float> values) { parameters_.assign(values.begin(), values.end()); }
  void initialize(std::uint64_t) { parameters_ = {0.5f, 0.25f, -0.125f}; }
  bool initialized() const { return true; }
  std::uint64_t stamp() const { return 0; }

  template <class A>
  struct memory {
    A x;
    std::vector<double> shifts;
  };
  template <softscore::Scalar T, class Be>
  auto workspace(Be& be, softscore::shape most) const {
    return memory<softscore::array_of<Be, T>>{be.template make<T>(most), std::vector<double>(most.images)};
  }

  template <class Be, class T, class Space, class M, class Time>
  void evaluate(Be& be, softscore::per_image<Time> times, softscore::view<const T, Space> x,
                softscore::view<T, Space> out, M& ws) const {
    const auto kept = ws.x.view().images(0, x.extent().images);
    be.combine(kept, softscore::term<T, Space>{1.0, x});
    for (std::size_t i = 0; i < x.extent().images; ++i) ws.shifts[i] = parameters_[1] * times[i].value;
    be.for_each(polynomial{parameters_[0], parameters_[2]}, out, x);
    // The shift of each image: p_1 t times an array of ones.
    be.for_each(ones{}, kept);
    be.combine(out, softscore::term{1.0, out},
               softscore::term<T, Space>{softscore::per_image<double>{std::span<const double>{ws.shifts}}, kept});
    be.combine(kept, softscore::term<T, Space>{1.0, x});
  }
  template <class Be, class T, class Space, class M>
  void pullback(Be& be, softscore::view<const T, Space> v, softscore::view<T, Space> out, M& ws) const {
    be.for_each(slope{parameters_[0], parameters_[2]}, out, v,
                softscore::view<const T, Space>(ws.x.view().images(0, v.extent().images)));
  }

 private:
  struct polynomial {
    float linear, square;
    template <class T>
    void operator()(T& phi, const T& x) const {
      phi = static_cast<T>(linear) * x + static_cast<T>(square) * x * x;
    }
  };
  struct slope {
    float linear, square;
    template <class T>
    void operator()(T& out, const T& v, const T& x) const {
      out = v * (static_cast<T>(linear) + static_cast<T>(2 * square) * x);
    }
  };
  struct ones {
    template <class T>
    void operator()(T& x) const {
      x = T{1};
    }
  };

  softscore::shape image_;
  std::vector<float> parameters_{0.5f, 0.25f, -0.125f};
};
