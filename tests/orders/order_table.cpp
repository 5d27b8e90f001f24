#include "order_table.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <memory>
#include <utility>

#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/cosine.hpp>
#include <softscore/corruption/variance_exploding.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/operator/centred_mask.hpp>
#include <softscore/operator/composed.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/paced.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/sampler/adams_bashforth.hpp>
#include <softscore/sampler/alternating.hpp>
#include <softscore/sampler/cold.hpp>
#include <softscore/sampler/ddim.hpp>
#include <softscore/sampler/ddpm.hpp>
#include <softscore/sampler/dormand_prince.hpp>
#include <softscore/sampler/dpm_solver.hpp>
#include <softscore/sampler/dpm_solver_pp_2m.hpp>
#include <softscore/sampler/dpm_solver_pp_3m.hpp>
#include <softscore/sampler/edm_heun.hpp>
#include <softscore/sampler/euler.hpp>
#include <softscore/sampler/euler_maruyama.hpp>
#include <softscore/sampler/heun.hpp>
#include <softscore/sampler/langevin.hpp>
#include <softscore/sampler/learned_ddpm.hpp>
#include <softscore/sampler/midpoint.hpp>
#include <softscore/sampler/momentum.hpp>
#include <softscore/sampler/naive.hpp>
#include <softscore/sampler/predictor_corrector.hpp>
#include <softscore/sampler/probability_flow.hpp>
#include <softscore/sampler/reverse_diffusion.hpp>
#include <softscore/sampler/rk4.hpp>
#include <softscore/sampler/unipc.hpp>

#include "affine_run.hpp"
#include "gaussian_data.hpp"

using namespace softscore;

double order_row::order() const {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(fine.size());
  for (const point& p : fine) {
    const double a = std::log(static_cast<double>(p.steps)), b = std::log(p.error);
    x += a / n, y += b / n, xx += a * a / n, xy += a * b / n;
  }
  return -(xy - x * y) / (xx - x * x);
}

namespace {

using host_view = view<double, host_space>;
using host_input = view<const double, host_space>;

// Any corruption of double images in host memory behind one type, so that each sampler is compiled once and not once
// for each corruption.
class any_corruption {
 public:
  using law = standard_normal;

  template <class C>
  explicit any_corruption(C corruption) : self_{std::make_shared<const model<C>>(std::move(corruption))} {}

  double sigma(diffusion_time t) const { return self_->sigma(t); }
  double sigma_rate(diffusion_time t) const { return self_->sigma_rate(t); }
  template <class Be, Scalar T>
    requires(std::same_as<typename Be::space, host_space> && std::same_as<T, double>)
  void signal(Be&, per_image<diffusion_time> times, const_view<T, typename Be::space> x,
              view<T, typename Be::space> out) const {
    self_->signal(times, x, out);
  }
  template <class Be, Scalar T>
    requires(std::same_as<typename Be::space, host_space> && std::same_as<T, double>)
  void signal_derivative(Be&, per_image<diffusion_time> times, const_view<T, typename Be::space> x,
                         view<T, typename Be::space> out) const {
    self_->signal_derivative(times, x, out);
  }
  // What only training and starting from noise would call.
  template <class Be, Scalar T>
  void signal_adjoint(Be&, per_image<diffusion_time>, const_view<T, typename Be::space>,
                      view<T, typename Be::space>) const;
  template <class Be, Scalar T>
  void corrupt(Be&, per_image<diffusion_time>, const_view<T, typename Be::space>, const_view<T, typename Be::space>,
               view<T, typename Be::space>) const;
  template <class Be, Scalar T>
  void draw_xi(Be&, noise_key, batch, view<T, typename Be::space>) const;
  template <class Be, Scalar T>
  void start(Be&, diffusion_time, std::uint64_t, batch, view<T, typename Be::space>, view<T, typename Be::space>) const;

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

constexpr double first_time = 1.0, last_time = 0.05;

// How often a sampler draws in a step, and whether it remembers earlier ones: a run that does is measured as a whole.
struct drawing {
  std::size_t draws{};
  bool remembers{true};
};
constexpr drawing no_noise{}, fresh_noise{1, false}, fresh_noise_twice{2, false}, noise_and_memory{1, true};

// Numbers of steps in the range where the highest power decides and rounding does not: the higher the order the fewer.
// A blur of a fraction of a pixel is the identity but for exp(-1 / (2 w^2)), whose derivatives of high order are large
// where it sets in, so high orders show later under a blur.
std::vector<std::size_t> steps_for(int order, bool blur) {
  switch (order) {
    case 3:
      return {64, 128, 256, 512};
    case 4:
      return blur ? std::vector<std::size_t>{256, 512, 1024, 2048} : std::vector<std::size_t>{64, 128, 256, 512};
    case 5:
      return blur ? std::vector<std::size_t>{162, 243, 364, 546} : std::vector<std::size_t>{24, 36, 54, 81};
    default:
      return {128, 256, 512, 1024};
  }
}

struct place {
  std::string schedule, family;
};

// Another law than the marginal, and why.
struct other_law {
  std::string reason;
  Eigen::MatrixXd covariance{};  // empty where only the errors tell it
};

// The law that a step from the end to the end leaves alone, V = M V M^T + n^2 I, by doubling the number of steps.
Eigen::MatrixXd standing_covariance(Eigen::MatrixXd m, double n) {
  Eigen::MatrixXd v = n * n * Eigen::MatrixXd::Identity(m.rows(), m.cols());
  for (int i = 0; i < 60; ++i) {
    v += m * v * m.transpose();
    m = (m * m).eval();
  }
  return v;
}

template <class C>
auto exact_denoiser(const C& corruption) {
  return gaussian_denoiser<C>{corruption, gaussian_mean(), gaussian_covariance(), gaussian_image};
}

template <class S, class C>
order_row measure(std::string name, const S& sampler, const place& where, const C& corruption, drawing noise,
                  const other_law& other = {}) {
  const bool keeps = other.reason.empty();
  order_row row{std::move(name), where.schedule, where.family, keeps ? S::order : 0, other.reason, 0.0, {}, {}};
  std::vector<std::size_t> steps = steps_for(S::order, where.family == "blur");
  if (noise.draws > 0 && noise.remembers) steps = {96, 192, 384, 768};
  if (!keeps) steps = {32, 256, 2048, 16384};
  const auto exact = exact_denoiser(corruption);
  const auto law_at = [&](double t) {
    const auto [mean, covariance] = exact.marginal(diffusion_time{t});
    return normal_law{mean, covariance};
  };
  const normal_law from = law_at(first_time), wanted = law_at(last_time);
  const auto take = [&](std::size_t number) {
    const time_grid grid = uniform_grid(number, first_time, last_time);
    const normal_law found =
        noise.remembers ? law_of_run(sampler, corruption, exact, gaussian_image, grid, from, noise.draws)
                        : law_step_by_step(sampler, corruption, exact, gaussian_image, grid, from, noise.draws);
    given_noise_backend be;
    start_point<given_noise_backend, double> one{
        be.make<double>(gaussian_image), be.make<double>(gaussian_image), {0, 1}};
    const std::size_t nfe = drive(be, sampler, corruption, exact, grid, std::move(one), 0).nfe;
    return order_row::point{number, nfe,
                            std::max((found.mean - wanted.mean).cwiseAbs().maxCoeff(),
                                     (found.covariance - wanted.covariance).cwiseAbs().maxCoeff())};
  };
  for (const std::size_t n : steps) row.fine.push_back(take(n));
  for (const std::size_t n : {5u, 10u, 20u, 40u, 80u, 160u, 320u}) row.coarse.push_back(take(n));
  if (!keeps)
    row.limit = other.covariance.size() > 0 ? (other.covariance - wanted.covariance).cwiseAbs().maxCoeff()
                                            : row.fine.back().error;
  return row;
}

const std::string fixed_noise = "fresh noise of a fixed size: the law that a step from t to t leaves alone";
const std::string first_noise = "the first noise stays";
const std::string langevin_bias = "the bias of a Langevin step of that length";
const std::string jumps = "C_t jumps: what the mask reveals lacks the spread that x_t does not tell of";

template <class C>
void add_any(std::vector<order_row>& rows, const place& where, const C& c) {
  const auto add = [&](const char* name, const auto& sampler, drawing noise, const other_law& other = {}) {
    rows.push_back(measure(name, sampler, where, c, noise, other));
  };
  add("ddim{}", ddim{}, no_noise);
  add("ddim{0.5}", ddim{0.5}, fresh_noise);
  add("ddim{1}", ddim{1.0}, fresh_noise);
  add("momentum", momentum{}, fresh_noise);
  add("probability_flow", probability_flow{}, no_noise);
  add("alternating", alternating{}, no_noise);
  add("euler", euler{}, no_noise);
  add("euler_maruyama", euler_maruyama{}, fresh_noise);
  add("heun", heun{}, no_noise);
  add("midpoint", midpoint{}, no_noise);
  add("dpm_solver_pp_2m", dpm_solver_pp_2m{}, no_noise);
  add("dpm_solver_pp_2m_sde", dpm_solver_pp_2m_sde{}, noise_and_memory);
  add("adams_bashforth<2>", adams_bashforth<2>{}, no_noise);
  add("adams_bashforth<3>", adams_bashforth<3>{}, no_noise);
  add("adams_bashforth<4>", adams_bashforth<4>{}, no_noise);
  add("rk4", rk4{}, no_noise);
  add("dormand_prince, no control", dormand_prince{1e9, 1e9, 1.0}, no_noise);
  const auto exact = exact_denoiser(c);
  const diffusion_time end{last_time};
  const double sigma = c.sigma(end), k = 0.5 * sigma, q = 0.02;
  const Eigen::MatrixXd one = Eigen::MatrixXd::Identity(6, 6),
                        clean = exact.signal_matrix(end) * exact.gain_matrix(end);
  // c = 0 and n = sigma; c = sqrt(sigma^2 - k^2) / sigma and n = k; a Langevin step, x - q V^-1 x and n^2 = 2 q.
  add("naive", naive{}, fresh_noise, {fixed_noise, standing_covariance(clean, sigma)});
  add("soft_ddim, k = half of the last sigma", soft_ddim{k}, fresh_noise,
      {fixed_noise, standing_covariance(clean + std::sqrt(0.75) * (one - clean), k)});
  add("predictor_corrector, q = 0.02", predictor_corrector<momentum, fixed_length>{momentum{}, fixed_length{q}},
      fresh_noise_twice,
      {langevin_bias, standing_covariance(one - q * exact.marginal(end).second.inverse(), std::sqrt(2 * q))});
  add("cold", cold{}, fresh_noise, {first_noise});
}

void add_scalar(std::vector<order_row>& rows, const place& where, const any_scalar_corruption& c) {
  const auto add = [&](const char* name, const auto& sampler, drawing noise) {
    rows.push_back(measure(name, sampler, where, c, noise));
  };
  add("ddpm, large variance", ddpm{}, fresh_noise);
  add("ddpm, small variance", ddpm{ancestral_variance::small}, fresh_noise);
  add("learned_ddpm, u = 0.5", learned_ddpm{[](diffusion_time) { return 0.5; }}, fresh_noise);
  add("reverse_diffusion", reverse_diffusion{}, fresh_noise);
  add("edm_heun{}", edm_heun{}, no_noise);
  add("dpm_solver<1>", dpm_solver<1>{}, no_noise);
  add("dpm_solver<2>", dpm_solver<2>{}, no_noise);
  add("dpm_solver<3>", dpm_solver<3>{}, no_noise);
  add("dpm_solver_pp_3m", dpm_solver_pp_3m{}, no_noise);
  add("unipc<1, false>", unipc<1, false>{}, no_noise);
  add("unipc<2, false>", unipc<2, false>{}, no_noise);
  add("unipc<3, false>", unipc<3, false>{}, no_noise);
  add("unipc<1>", unipc<1>{}, no_noise);
  add("unipc<2>", unipc<2>{}, no_noise);
  add("unipc<3>", unipc<3>{}, no_noise);
}

void add_mask(std::vector<order_row>& rows, const place& where, const any_corruption& c) {
  const auto add = [&](const char* name, const auto& sampler, drawing noise) {
    rows.push_back(measure(name, sampler, where, c, noise, {jumps}));
  };
  add("ddim{}", ddim{}, no_noise);
  add("momentum", momentum{}, fresh_noise);
  add("probability_flow", probability_flow{}, no_noise);
  add("heun", heun{}, no_noise);
  add("dpm_solver_pp_2m", dpm_solver_pp_2m{}, no_noise);
}

}  // namespace

std::vector<order_row> order_table(std::string_view schedule, std::string_view family) {
  std::vector<order_row> rows;
  const auto wanted = [&](const place& where) {
    return where.schedule.find(schedule) != std::string::npos && where.family.find(family) != std::string::npos;
  };
  const auto noise_alone = [&](const place& where, auto corruption) {
    if (!wanted(where)) return;
    const any_scalar_corruption c{std::move(corruption)};
    add_any(rows, where, c);
    add_scalar(rows, where, c);
  };
  const auto with = [&](const place& where, auto corruption) {
    if (wanted(where)) add_any(rows, where, any_corruption{std::move(corruption)});
  };
  const gaussian_blur blur{.half_width = 3};
  const variance_preserving vp{.rate_first = 1.0, .rate_last = 6.0};
  const cosine bent{.horizon = 0.85};
  noise_alone({"VE", "identity"}, corruption{identity{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 2.0}});
  with({"VE", "blur"}, blurring());
  with({"VE", "fade"}, fading());
  // Where the signal shrinks too, the operator is a number times a blur or a fade.
  noise_alone({"VP", "identity"}, corruption{scaling{}, vp});
  with({"VP", "blur"}, corruption{scaling{} * paced{blur, 2.5}, vp});
  with({"VP", "fade"}, corruption{scaling{} * paced{fade{}, 0.5}, vp});
  noise_alone({"cosine", "identity"}, corruption{scaling{}, bent});
  with({"cosine", "blur"}, corruption{scaling{} * paced{blur, 2.5}, bent});
  with({"cosine", "fade"}, corruption{scaling{} * paced{fade{}, 0.6}, bent});
  if (wanted({"VE", "mask"}))
    add_mask(rows, {"VE", "mask"},
             any_corruption{
                 corruption{centred_mask{}, variance_exploding{.sigma_min = 0.1, .sigma_max = 0.5, .level_max = 2.0}}});
  return rows;
}
