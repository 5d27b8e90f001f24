// EDM shows its network ln(sigma / a) / 4, which is no time.
#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/edm_denoiser.hpp>
#include <softscore/operator/scaling.hpp>

using namespace softscore;

#ifdef SOFTSCORE_TWIN
using time_type = c_noise;
#else
using time_type = diffusion_time;
#endif

struct network {
  struct nothing {};
  shape image() const { return {1, 1, 2, 2}; }
  template <class T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T, class Space>
  void evaluate(Be& be, per_image<time_type>, view<const T, Space> x, view<T, Space> out, nothing&) const {
    be.combine(out, term<T, Space>{1.0, x});
  }
};

void run() {
  serial_backend be;
  const edm_denoiser denoiser{network{}, corruption{scaling{}, linear_beta{}}};
  auto x = be.make<float>(network{}.image());
  auto memory = denoiser.workspace<float>(be, x.view().extent());
  denoiser.estimate(be, condition{{0, 1}, diffusion_time{0.5}}, x.view(), x.view(), memory);
}
