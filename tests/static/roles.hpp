#pragma once

// Every operator, schedule, sampler, denoiser and objective, with what it offers and what it needs. The tables of what
// composes are products of these lists: a new one costs one line here.
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string_view>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/classifier_guided.hpp>
#include <softscore/denoiser/edm_denoiser.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/in_precision.hpp>
#include <softscore/denoiser/learned_variance_denoiser.hpp>
#include <softscore/denoiser/mixture_denoiser.hpp>
#include <softscore/denoiser/posterior_denoiser.hpp>
#include <softscore/denoiser/spectral_denoiser.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/objective/cold_loss.hpp>
#include <softscore/objective/cross_entropy.hpp>
#include <softscore/objective/distillation_loss.hpp>
#include <softscore/objective/epsilon_loss.hpp>
#include <softscore/objective/learned_variance_loss.hpp>
#include <softscore/objective/naive_loss.hpp>
#include <softscore/objective/soft_score_matching_loss.hpp>
#include <softscore/objective/weighted_loss.hpp>
#include <softscore/operator/dense_matrix.hpp>
#include <softscore/sampling.hpp>

#include "../support/steady_denoiser.hpp"

namespace elsewhere {

// A user's operator, adapted from outside, and a schedule that does not know its slope.
struct crumpled {};
struct steps {
  softscore::level level_at(softscore::diffusion_time t) const { return {t.value}; }
  double sigma_at(softscore::diffusion_time t) const { return t.value; }
};

}  // namespace elsewhere

template <>
struct softscore::degradation<elsewhere::crumpled> : softscore::on_host<softscore::degradation<elsewhere::crumpled>> {
  template <class T>
  static void apply_image(const elsewhere::crumpled&, level, const shape&, std::span<const T>, std::span<T>) {}
  template <class T>
  static void transpose_image(const elsewhere::crumpled&, level, const shape&, std::span<const T>, std::span<T>) {}
};

namespace roles {

using namespace softscore;

// What a corruption or a denoiser offers: the needs of samplers (sampler/needs.hpp), a bit for each.
using offer = unsigned;
template <class Need, class... Each>
constexpr offer bit_of(needs::list<Each...>) {
  offer bit = 1, found = 0;
  ((found |= std::same_as<Need, Each> ? bit : 0, bit <<= 1), ...);
  return found;
}
template <class Need>
constexpr offer offers = bit_of<Need>(needs::all{});
constexpr offer none = 0;
constexpr offer score = offers<needs::score>, scalar = offers<needs::scalar_signal>;
constexpr offer background = offers<needs::background>;
constexpr offer slope = offers<needs::derivative>;  // dC_t/dt; of an operator, dC_w/dw
constexpr offer modes = offers<needs::svd>;         // of an operator
// Of a denoiser; its network predicts the noise.
constexpr offer pullback = offers<needs::pullback>, density = offers<needs::density>,
                variance = offers<needs::learned_variance>, noise_output = 1u << needs::all::size;

template <class S, class... Each>
constexpr offer needs_of(needs::list<Each...>) {
  return ((Needs<S, Each> ? offers<Each> : none) | ... | none);
}
static_assert((score | scalar | background | slope | modes | pullback | density | variance) == noise_output - 1,
              "a need that no table knows");

template <std::size_t N>
struct text {
  char letters[N];
  constexpr text(const char (&from)[N]) { std::copy_n(from, N, letters); }
};

template <text Name, class What, unsigned Has>
struct role {
  using type = What;
  static constexpr unsigned has = Has;
  static constexpr std::string_view name{Name.letters};
};

template <class... Each>
struct list {};
template <class... A, class... B>
constexpr list<A..., B...> operator+(list<A...>, list<B...>) {
  return {};
}
// Join<a, b> for every a and b.
template <template <class, class> class Join, class A, class... Bs>
constexpr list<Join<A, Bs>...> row(list<Bs...>) {
  return {};
}
template <template <class, class> class Join, class... As, class Bs>
constexpr auto product(list<As...>, Bs all) {
  return (list<>{} + ... + row<Join, As>(all));
}

using operators = list<role<"identity", identity, scalar | slope | modes>,                      //
                       role<"scaling", scaling, scalar | slope | modes>,                        //
                       role<"gaussian_blur", gaussian_blur, slope | modes>,                     //
                       role<"dct_blur", dct_blur, slope | modes>,                               //
                       role<"fft_blur", fft_blur, slope | modes>,                               //
                       role<"motion_blur", motion_blur, none>,                                  //
                       role<"kernel_blur", kernel_blur, slope>,                                 //
                       role<"periodic_blur", periodic_blur, slope | modes>,                     //
                       role<"centered_mask", centered_mask, modes>,                             //
                       role<"random_mask", random_mask, modes>,                                 //
                       role<"free_form_mask", free_form_mask, modes>,                           //
                       role<"fade", fade, slope | modes>,                                       //
                       role<"eraser", eraser, modes>,                                           //
                       role<"box_downsampling", box_downsampling, modes>,                       //
                       role<"bicubic_downsampling", bicubic_downsampling, modes>,               //
                       role<"color_removal", color_removal, slope | modes>,                     //
                       role<"scaling * dct_blur", composed<scaling, dct_blur>, slope | modes>,  //
                       role<"fade * eraser", composed<fade, eraser>, modes>,                    //
                       role<"kernel_blur * fade", composed<kernel_blur, fade>, slope>,          //
                       role<"dense_matrix", dense_matrix, slope | modes>,                       //
                       role<"paced scaling", paced<scaling>, scalar | slope | modes>,           //
                       role<"side_by_side of two", side_by_side<fade, kernel_blur>, slope>,     //
                       role<"a user's, on the host", elsewhere::crumpled, none>>;

using schedules = list<role<"two_stage", two_stage, slope>,                              //
                       role<"simultaneous", simultaneous, slope>,                        //
                       role<"linear_beta", linear_beta, slope>,                          //
                       role<"scaled_linear_beta", scaled_linear_beta, slope>,            //
                       role<"cosine", cosine, slope>,                                    //
                       role<"cosine_beta", cosine_beta, slope>,                          //
                       role<"sigmoid_gain", sigmoid_gain, slope>,                        //
                       role<"sigmoid_beta", sigmoid_beta, slope>,                        //
                       role<"linear log-SNR", log_snr_schedule<linear_log_snr>, slope>,  //
                       role<"DDPM's log-SNR", log_snr_schedule<ddpm_log_snr>, slope>,    //
                       role<"karras_sigma", karras_sigma, slope>,                        //
                       role<"flow_matching", flow_matching, slope>,                      //
                       role<"variance_preserving", variance_preserving, slope>,          //
                       role<"sub_variance_preserving", sub_variance_preserving, slope>,  //
                       role<"variance_exploding", variance_exploding, slope>,            //
                       role<"tabulated", tabulated, slope>,                              //
                       role<"a user's, without slope", elsewhere::steps, none>>;

// An operator and a schedule make a corruption; a background needs no noise.
template <class Op, class S>
struct under_noise {
  using type = corruption<typename Op::type, typename S::type>;
  static constexpr unsigned has = score | (Op::has & (scalar | modes)) | (Op::has & S::has & slope);
};
template <class Op, class S>
struct over_background {
  using type = background_corruption<typename Op::type, typename S::type>;
  static constexpr unsigned has = background;
};

// Every operator under one schedule that knows its slope and one that does not, and every schedule with one operator.
using noisy =
    decltype(product<under_noise>(operators{}, list<role<"", two_stage, slope>, role<"", elsewhere::steps, none>>{}) +
             product<under_noise>(list<role<"", scaling, scalar | slope | modes>>{}, schedules{}));
using cold_ones = decltype(product<over_background>(operators{}, list<role<"severity", severity, none>>{}));

// One of each kind, for the tables along other directions.
using kinds =
    decltype(product<under_noise>(list<role<"", scaling, scalar | slope | modes>,
                                       role<"", gaussian_blur, slope | modes>, role<"", centered_mask, modes>>{},
                                  list<role<"", two_stage, slope>>{}) +
             product<over_background>(list<role<"", eraser, none>>{}, list<role<"", severity, none>>{}));

struct half_way {
  double operator()(diffusion_time) const { return 0.5; }
};

using samplers = list<role<"ddpm", ddpm, score | scalar>,                                            //
                      role<"learned_ddpm", learned_ddpm<half_way>, score | scalar>,                  //
                      role<"learned_ddpm of a network", learned_ddpm<>, score | scalar | variance>,  //
                      role<"ddim", ddim, score>,                                                     //
                      role<"clipped_ddim", clipped_ddim, score>,                                     //
                      role<"soft_ddim", soft_ddim, score>,                                           //
                      role<"naive", naive, score>,                                                   //
                      role<"momentum", momentum, score>,                                             //
                      role<"probability_flow", probability_flow, score>,                             //
                      role<"alternating", alternating, score>,                                       //
                      role<"heun", heun, score>,                                                     //
                      role<"edm_heun", edm_heun, score | scalar>,                                    //
                      role<"dpm_solver<1>", dpm_solver<1>, score | scalar>,                          //
                      role<"dpm_solver<2>", dpm_solver<2>, score | scalar>,                          //
                      role<"dpm_solver<3>", dpm_solver<3>, score | scalar>,                          //
                      role<"dpm_solver_pp_2m", dpm_solver_pp_2m, score>,                             //
                      role<"dpm_solver_pp_2m_sde", dpm_solver_pp_2m_sde, score>,                     //
                      role<"dpm_solver_pp_3m", dpm_solver_pp_3m, score | scalar>,                    //
                      role<"dpm_solver_pp_3m_sde", dpm_solver_pp_3m_sde, score | scalar>,            //
                      role<"unipc<2>", unipc<2>, score | scalar>,                                    //
                      role<"exponential_integrator<2>", exponential_integrator<2>, score | modes>,
                      role<"euler", euler, score | slope>,                                   //
                      role<"midpoint", midpoint, score | slope>,                             //
                      role<"rk4", rk4, score | slope>,                                       //
                      role<"dormand_prince", dormand_prince, score | slope>,                 //
                      role<"adams_bashforth<2>", adams_bashforth<2>, score | slope>,         //
                      role<"euler_maruyama", euler_maruyama, score | slope>,                 //
                      role<"reverse_diffusion", reverse_diffusion, score | scalar>,          //
                      role<"predictor_corrector", predictor_corrector<>, score>,             //
                      role<"ula", ula, score>,                                               //
                      role<"annealed_langevin", annealed_langevin<>, score>,                 //
                      role<"mala", mala, score | density>,                                   //
                      role<"dps", dps<gaussian_blur>, score | scalar | pullback>,            //
                      role<"dps with ddim", dps<box_downsampling, ddim>, score | pullback>,  //
                      role<"pigdm", pigdm<centered_mask>, score | scalar | pullback>,        //
                      role<"repaint", repaint<free_form_mask>, score | scalar>,              //
                      role<"ddrm", ddrm<gaussian_blur>, score | scalar>,                     //
                      role<"diffpir", diffpir<motion_blur>, score>,                          //
                      role<"projection", projection<random_mask>, score>,                    //
                      role<"cold", cold, none>,                                              //
                      role<"naive_cold", naive_cold, background>>;

// A denoiser asks of the corruption that it is made for, and gives the sampler something.
template <text Name, template <class> class On, unsigned Asks, unsigned Gives>
struct denoiser_role {
  template <class C>
  using on = On<C>;
  static constexpr unsigned asks = Asks, gives = Gives;
  static constexpr std::string_view name{Name.letters};
};
template <class>
using steady_on = steady_denoiser;
template <class>
using residual_on = residual_denoiser<plain_cnn>;
template <class>
using clean_on = clean_denoiser<plain_cnn>;
template <class C>
using epsilon_on = epsilon_denoiser<plain_cnn, C>;
template <class C>
using velocity_on = velocity_denoiser<plain_cnn, C>;
template <class C>
using score_on = score_denoiser<plain_cnn, C>;
template <class C>
using learned_variance_on = learned_variance_denoiser<plain_cnn, C>;
template <class C>
using edm_on = edm_denoiser<plain_cnn, C>;
template <class C>
using gaussian_on = gaussian_denoiser<C>;
template <class C>
using mixture_on = mixture_denoiser<C>;
template <class C>
using spectral_on = spectral_denoiser<C>;

template <class C>
using posterior_on = posterior_denoiser<C>;
template <class>
using static_thresholding_on = static_thresholding<steady_denoiser>;
template <class>
using dynamic_thresholding_on = dynamic_thresholding<steady_denoiser>;
template <class>
using classifier_free_on = classifier_free<steady_denoiser, steady_denoiser>;
template <class C>
using classifier_guided_on = classifier_guided<steady_denoiser, C, detail::archetype_classifier>;
template <class>
using precision_on = precision_denoiser<float, steady_denoiser>;

using plain = denoiser_role<"any h", steady_on, none, pullback>;
using networks = list<
    denoiser_role<"residual_denoiser", residual_on, none, pullback>,
    denoiser_role<"clean_denoiser", clean_on, none, pullback>,
    denoiser_role<"epsilon_denoiser", epsilon_on, score | scalar, pullback | noise_output>,
    denoiser_role<"velocity_denoiser", velocity_on, score | scalar, pullback>,
    denoiser_role<"score_denoiser", score_on, score | scalar, pullback>,
    denoiser_role<"learned_variance_denoiser", learned_variance_on, score | scalar, pullback | noise_output | variance>,
    denoiser_role<"edm_denoiser", edm_on, score | scalar, pullback>>;
using exact = list<denoiser_role<"gaussian_denoiser", gaussian_on, score, pullback | density>,
                   denoiser_role<"mixture_denoiser", mixture_on, score, pullback | density>,
                   denoiser_role<"posterior_denoiser", posterior_on, score, pullback | density>,
                   denoiser_role<"spectral_denoiser", spectral_on, score, pullback | density>>;
// Around another denoiser.
using wrappers = list<denoiser_role<"static_thresholding", static_thresholding_on, none, pullback>,
                      denoiser_role<"dynamic_thresholding", dynamic_thresholding_on, none, none>,
                      denoiser_role<"classifier_free", classifier_free_on, none, pullback>,
                      denoiser_role<"classifier_guided", classifier_guided_on, score, none>,
                      denoiser_role<"in_precision", precision_on, none, pullback>>;
using denoisers = decltype(list<plain>{} + networks{} + exact{});

using objectives = list<role<"soft_score_matching_loss", soft_score_matching_loss, score>,                    //
                        role<"naive_loss", naive_loss, none>,                                                 //
                        role<"cold_loss", cold_loss, none>,                                                   //
                        role<"cross_entropy", cross_entropy, none>,                                           //
                        role<"distillation_loss", distillation_loss<steady_denoiser>, score | scalar>,        //
                        role<"epsilon_loss", epsilon_loss, score | noise_output>,                             //
                        role<"learned_variance_loss", learned_variance_loss, score | scalar | noise_output>,  //
                        role<"weighted_loss", weighted_loss<unit_weight<prediction::epsilon>>, score>,        //
                        role<"weighted_loss on x_0", weighted_loss<unit_weight<prediction::clean>>, score>,   //
                        role<"weighted_loss, min-SNR", weighted_loss<min_snr_weight>, score | scalar>>;

template <class Be, class T, class C, class S, class D>
concept Samples = Backend<Be, T> && Corruption<C, Be, T> && Denoiser<D, Be, T> && Sampler<S, sampling_run<Be, C, D, T>>;

template <class Be, class T, class C, class O, class D>
concept Trains = Corruption<C, Be, T> && Trainable<D> && Objective<O, C, D, Be, T>;

}  // namespace roles
