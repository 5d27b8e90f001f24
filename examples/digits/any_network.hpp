#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <softscore/backend/tbb.hpp>
#include <softscore/core/per_image.hpp>
#include <softscore/core/quantity.hpp>
#include <softscore/nn/concept.hpp>
#include <softscore/nn/parameter_store.hpp>

namespace digits {

/// Which network: the plain CNN of Knottenbelt n.d., or a U-Net with a level for each width.
struct network_choice {
  std::vector<std::size_t> widths{16, 32, 32, 16};
  bool unet{};
};

/// A network of either kind behind one indirect call per batch: recipes and samplers compile without its operations,
/// which any_network.cpp compiles once.
class any_network {
 public:
  struct kind;
  struct scratch;
  using images = softscore::view<const float, softscore::host_space>;
  using result = softscore::view<float, softscore::host_space>;
  using times = softscore::per_image<softscore::diffusion_time>;

  /// The memory that evaluations write to.
  class memory {
   public:
    explicit memory(std::unique_ptr<scratch> made);
    memory(memory&&) noexcept;
    memory& operator=(memory&&) noexcept;
    ~memory();
    std::string describe() const;

   private:
    friend class any_network;
    std::unique_ptr<scratch> made_;
  };

  /// Throws `error` for widths that do not make such a network for images of that shape.
  any_network(const network_choice& choice, const softscore::shape& image);
  any_network(const any_network& other);
  any_network(any_network&&) noexcept;
  any_network& operator=(const any_network& other);
  any_network& operator=(any_network&&) noexcept;
  ~any_network();

  /// The number of parameters that a U-Net would have, without making it; throws as the constructor does.
  static std::size_t parameters_of_unet(const network_choice& choice, const softscore::shape& image);

  const softscore::shape& image() const;
  std::size_t parameter_count() const { return store().parameter_count(); }
  const softscore::parameter_layout& layout() const { return store().layout(); }
  std::span<const float> parameters() const { return store().parameters(); }
  std::span<float> mutable_parameters() { return store().mutable_parameters(); }
  void set_parameters(std::span<const float> values) { store().set_parameters(values); }
  void initialize(std::uint64_t seed) { store().initialize(seed); }
  bool initialized() const { return store().initialized(); }
  std::uint64_t stamp() const { return store().stamp(); }

  template <softscore::Scalar T>
    requires std::same_as<T, float>
  memory workspace(softscore::tbb_backend& be, const softscore::shape& most) const {
    return make_memory(be, most);
  }
  void evaluate(softscore::tbb_backend& be, times t, images x, result out, memory& ws) const;
  void forward(softscore::tbb_backend& be, images parameters, times t, images x, result out, memory& ws) const;
  void backward(softscore::tbb_backend& be, images parameters, images dout, result dx, result gradients,
                memory& ws) const;
  void pullback(softscore::tbb_backend& be, images v, result out, memory& ws) const;

 private:
  const softscore::parameter_store& store() const;
  softscore::parameter_store& store();
  memory make_memory(softscore::tbb_backend& be, const softscore::shape& most) const;

  std::unique_ptr<kind> kind_;
};
static_assert(softscore::Network<any_network, softscore::tbb_backend, float>);

}  // namespace digits
