// One step of a sampler on 128 x 1 x 28 x 28, from the noise that a network predicted to the next state; the network
// itself is left out.
#include <memory>

#include <softscore/backend/tbb.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/io/safetensors.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>

#include "harness.hpp"

namespace {

using namespace softscore;

const shape extent{128, 1, 28, 28};

// A network whose output is given.
struct given_network {
  struct nothing {};
  shape image() const { return extent.with_images(1); }
  template <Scalar T, class Be>
  nothing workspace(Be&, const shape&) const {
    return {};
  }
  template <class Be, class T>
  void evaluate(Be&, per_image<diffusion_time>, view_of<Be, const T>, out_of<Be, T>, nothing&) const {}
};

using noise = corruption<scaling, linear_beta>;
using guess = epsilon_denoiser<given_network, noise>;

template <class Sampler>
class stepping {
 public:
  stepping()
      : phi{bench::normal_numbers(extent.size(), 1)},
        x{bench::normal_numbers(extent.size(), 2)},
        run_{be, noise_, denoiser_, extent, 1, image_range{0, extent.images}, {}},
        state_{sampler_.start(run_)},
        memory_{denoiser_.template workspace<float>(be, extent)},
        phi_{be.make<float>(extent)},
        x_{be.make<float>(extent)},
        h_{be.make<float>(extent)} {
    be.upload(phi.data(), phi_.view());
  }

  // Step `index` of a run of 100 from its first state.
  void step(std::size_t index) {
    if (index == 0) be.upload(x.data(), x_.view());
    const step_at at = grid_[index];
    denoiser_.template from_output<tbb_backend, float>(be, at.t, x_.view(), phi_.view(), h_.view(), memory_);
    sampler_.step(run_, state_, at, x_.view(), h_.view());
  }
  std::vector<float> state() {
    std::vector<float> host(extent.size());
    be.download(x_.view(), host.data());
    return host;
  }
  // The normal numbers of a step.
  std::vector<float> normals_of(std::size_t index) {
    run_.normal(grid_[index], h_.view());
    std::vector<float> host(extent.size());
    be.download(h_.view(), host.data());
    return host;
  }

  tbb_backend be;
  std::vector<float> phi, x;

 private:
  noise noise_{scaling{}, linear_beta{}};
  guess denoiser_{given_network{}, noise_};
  Sampler sampler_;
  time_grid grid_{uniform_grid(100)};
  sampling_run<tbb_backend, noise, guess, float> run_;
  decltype(sampler_.start(run_)) state_;
  decltype(denoiser_.template workspace<float>(be, extent)) memory_;
  host_array<float> phi_, x_, h_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto answer = [](const std::string& file) {
    stepping<ddpm> first;
    stepping<ddim> second;
    for (std::size_t i = 0; i < 2; ++i) {
      first.step(i);
      second.step(i);
    }
    const auto of_first = first.state(), of_second = second.state(), z0 = first.normals_of(0), z1 = first.normals_of(1);
    const std::vector<std::size_t> all{128, 1, 28, 28};
    write_safetensors(file, {{"phi", all, first.phi},
                             {"x", all, first.x},
                             {"noise/0", all, z0},
                             {"noise/1", all, z1},
                             {"ours/ddpm", all, of_first},
                             {"ours/ddim", all, of_second}});
  };
  return bench::run(argc, argv, answer, [] {
    const auto with = []<class Sampler>(const std::string& name, Sampler) {
      bench::add(name, [] {
        return [s = std::make_shared<stepping<Sampler>>(), i = std::size_t{0}]() mutable {
          s->step(i);
          i = (i + 1) % 99;  // the last step only copies
        };
      });
    };
    with("DDPM", ddpm{});
    with("DDIM", ddim{});
  });
}
