// Guidance by one network asks it with labels and without, so it must take some.
#include <softscore/backend/serial/backend.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/network_denoiser.hpp>

using namespace softscore;

struct network {
  struct nothing {};
  shape image() const { return {1, 1, 2, 2}; }
#ifdef SOFTSCORE_TWIN
  std::size_t label_count() const { return 10; }
#endif
  template <class T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void evaluate(Be& be, const network_input<diffusion_time>&, view<const T, Space> x, view<T, Space> out,
                nothing&) const {
    be.combine(out, term<T, Space>{1.0, x});
  }
};

void run() {
  serial_backend be;
  const classifier_free denoiser{clean_denoiser{network{}}, 2.0};
  auto x = be.make<float>(network{}.image());
  auto memory = denoiser.workspace<float>(be, x.view().extent());
  denoiser.estimate(be, condition{{0, 1}, diffusion_time{0.5}}, x.view(), x.view(), memory);
}
