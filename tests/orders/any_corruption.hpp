#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>

#include <softscore/backend/serial.hpp>
#include <softscore/corruption/corruption.hpp>

using namespace softscore;

using host_view = view<double, host_space>;
using host_input = view<const double, host_space>;

// Any corruption of double images in host memory behind one type, so that each sampler is compiled once and not once
// for each corruption.
class any_corruption {
 public:
  using distribution = standard_normal;

  template <class C>
  explicit any_corruption(C corruption) : self_{std::make_shared<const model<C>>(std::move(corruption))} {}

  double sigma(diffusion_time t) const { return self_->sigma(t); }
  double sigma_rate(diffusion_time t) const { return self_->sigma_rate(t); }
  template <class Be, Scalar T>
    requires(std::same_as<typename Be::space, host_space> && std::same_as<T, double>)
  void signal(Be&, per_image<diffusion_time> times, in_of<Be, T> x, out_of<Be, T> out) const {
    self_->signal(times, x, out);
  }
  template <class Be, Scalar T>
    requires(std::same_as<typename Be::space, host_space> && std::same_as<T, double>)
  void signal_derivative(Be&, per_image<diffusion_time> times, in_of<Be, T> x, out_of<Be, T> out) const {
    self_->signal_derivative(times, x, out);
  }
  // What only training and starting from noise would call.
  template <class Be, Scalar T>
  void signal_adjoint(Be&, per_image<diffusion_time>, in_of<Be, T>, out_of<Be, T>) const;
  template <class Be, Scalar T>
  void corrupt(Be&, per_image<diffusion_time>, in_of<Be, T>, in_of<Be, T>, out_of<Be, T>) const;
  template <class Be, Scalar T>
  void draw_xi(Be&, noise_key, image_range, out_of<Be, T>) const;
  template <class Be, Scalar T>
  void start(Be&, diffusion_time, std::uint64_t, image_range, out_of<Be, T>, out_of<Be, T>) const;

 protected:
  struct interface {
    virtual ~interface() = default;
    virtual double sigma(diffusion_time) const = 0;
    virtual double sigma_rate(diffusion_time) const = 0;
    virtual double gain(diffusion_time) const = 0;
    virtual double gain_rate(diffusion_time) const = 0;
    virtual void signal(per_image<diffusion_time>, host_input, host_view) const = 0;
    virtual void signal_derivative(per_image<diffusion_time>, host_input, host_view) const = 0;
  };
  template <class C>
  struct model : interface {
    C corruption;
    explicit model(C c) : corruption{std::move(c)} {}
    double sigma(diffusion_time t) const override { return corruption.sigma(t); }
    double sigma_rate(diffusion_time t) const override { return corruption.sigma_rate(t); }
    double gain(diffusion_time t) const override {
      if constexpr (ScalarSignal<C>)
        return corruption.signal_gain(t);
      else
        return std::nan("");
    }
    double gain_rate(diffusion_time t) const override {
      if constexpr (DifferentiableScalarSignal<C>)
        return corruption.signal_gain_rate(t);
      else
        return std::nan("");
    }
    void signal(per_image<diffusion_time> times, host_input x, host_view out) const override {
      serial_backend be;
      corruption.signal(be, times, x, out);
    }
    void signal_derivative(per_image<diffusion_time> times, host_input x, host_view out) const override {
      serial_backend be;
      if constexpr (DifferentiableSignal<C, serial_backend, double>)
        corruption.signal_derivative(be, times, x, out);
      else
        reject("the corruption", "a mask", "smooth in time");
    }
  };
  std::shared_ptr<const interface> self_;
};

// The same for C = a I.
class any_scalar_corruption : public any_corruption {
 public:
  using any_corruption::any_corruption;
  double signal_gain(diffusion_time t) const { return self_->gain(t); }
  double signal_gain_rate(diffusion_time t) const { return self_->gain_rate(t); }
};
static_assert(ScalarSignal<any_scalar_corruption> && !ScalarSignal<any_corruption>);
