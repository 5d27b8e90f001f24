// A network that takes the log-SNR needs a corruption to be asked, and a prediction of the residual knows none.
#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/linear_beta.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/operator/scaling.hpp>

using namespace softscore;

struct network {
  using time_type = log_snr;
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

#ifdef SOFTSCORE_TWIN
const epsilon_denoiser denoiser{network{}, corruption{scaling{}, linear_beta{}}};
#else
const residual_denoiser denoiser{network{}};
#endif

void run() {
  serial_backend be;
  auto x = be.make<float>(network{}.image());
  auto memory = denoiser.workspace<float>(be, x.view().extent());
  denoiser.estimate(be, condition{{0, 1}, diffusion_time{0.5}}, x.view(), x.view(), memory);
}
