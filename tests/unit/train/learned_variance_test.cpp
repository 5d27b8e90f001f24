// A network that learns the variance of a step beside the noise (Nichol and Dhariwal 2021): its estimate, its gradients
// through the objective, its training and what is drawn with it.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <softscore/softscore.hpp>

#include "catch.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;

namespace {

constexpr std::size_t chain_steps = 20;
const corruption chain{scaling{}, linear_beta{chain_steps, 0.01, 0.3}};

auto learning(const plain_cnn& network) { return learned_variance_denoiser{network, chain}; }
plain_cnn drawn_network(const shape& image, std::uint64_t seed) {
  plain_cnn network{{3, 2}, image, 2};
  network.initialize(seed);
  return network;
}

const shape extent{3, 2, 5, 4};
const std::vector<diffusion_time> times{{1.0}, {0.5}, {0.05}};
const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};

}  // namespace

TEMPLATE_TEST_CASE(
    "the estimate is that of the predicted noise, the share is the other half, and the pullback its slope", "[train]",
    serial_backend, tbb_backend) {
  TestType be;
  const auto denoiser = learning(drawn_network(extent, 5));
  const std::size_t d = extent.per_image();
  // A workspace for more images than there are.
  auto memory = denoiser.template workspace<double>(be, extent.with_images(4));
  auto of_network = denoiser.network().template workspace<double>(be, extent);
  auto x = random_batch<double>(be, extent, 1), v = random_batch<double>(be, extent, 2);
  auto h = be.template make<double>(extent), u = be.template make<double>(extent),
       pulled = be.template make<double>(extent);
  auto phi = be.template make<double>({3, 4, 5, 4});
  const condition q{{0, 3}, each};
  using space = typename TestType::space;
  const auto estimate = [&](const std::vector<double>& at) {
    be.upload(at.data(), x.view());
    denoiser.estimate(be, q, view<const double, space>(x.view()), h.view(), memory);
    return values_of(be, h.view());
  };
  const auto point = values_of(be, x.view());
  const auto found = estimate(point);
  denoiser.pullback(be, q, view<const double, space>(v.view()), pulled.view(), memory);
  // The pullback leaves the estimate's share as it was.
  denoiser.variance_share(be, q, u.view(), memory);
  denoiser.network().evaluate(be, each, view<const double, space>(x.view()), phi.view(), of_network);
  const auto both = values_of(be, phi.view()), share = values_of(be, u.view());
  for (std::size_t i = 0; i < 3; ++i) {
    const double a = chain.signal_gain(times[i]), sigma = chain.sigma(times[i]);
    for (std::size_t k = 0; k < d; ++k) {
      // A handful of roundings; 1 / a is below 5.
      CHECK(found[i * d + k] ==
            Approx((point[i * d + k] - sigma * both[2 * i * d + k]) / a).epsilon(1e-13).margin(1e-13));
      CHECK(share[i * d + k] == both[(2 * i + 1) * d + k]);
    }
  }
  const auto weights = values_of(be, v.view());
  const auto along = [&](const std::vector<double>& at) {
    const auto values = estimate(at);
    double sum = 0;
    for (std::size_t k = 0; k < values.size(); ++k) sum += weights[k] * values[k];
    return sum;
  };
  CHECK(slope_error(along, point, values_of(be, pulled.view())) < 1e-7);
}

TEST_CASE("the gradient of the learned variance's loss in every parameter is its slope", "[train]") {
  // No gradient runs through the predicted noise in the bound: the slope is that of the simple loss, and of the bound
  // with the noise held as predicted at the point.
  serial_backend be;
  const plain_cnn network = drawn_network(extent, 6);
  const auto denoiser = learning(network);
  const std::size_t d = extent.per_image();
  auto ws = network.workspace<double>(be, extent);
  auto denoiser_memory = denoiser.workspace<double>(be, extent);
  const auto clean = random_batch<double>(be, extent, 1), xi = random_batch<double>(be, extent, 2);
  auto noisy = be.make<double>(extent);
  chain.corrupt<serial_backend, double>(be, each, clean.view(), xi.view(), noisy.view());
  auto params = be.make<double>({1, 1, 1, network.parameter_count()}),
       gradients = be.make<double>(params.view().extent());
  auto phi = be.make<double>({3, 4, 5, 4}), mixed = be.make<double>({3, 4, 5, 4}),
       spare = be.make<double>({3, 4, 5, 4});
  const auto run = [&](const std::vector<double>& at) {
    be.upload(at.data(), params.view());
    network.forward(be, params.view(), each, noisy.view(), phi.view(), ws);
  };
  const auto loss = [&](double share, view<const double, host_space> output, view<double, host_space> gradient) {
    const learned_variance_loss objective{.steps = chain_steps, .share = share};
    auto memory = objective.workspace<double>(be, extent);
    std::vector<double> losses(3);
    const corrupted_batch<serial_backend, double> batch{each, clean.view(), xi.view(), noisy.view()};
    objective.evaluate(be, chain, denoiser, denoiser_memory, batch, output, gradient, losses.data(), memory);
    return (losses[0] + losses[1] + losses[2]) / 3;
  };
  const std::vector<double> start(network.parameters().begin(), network.parameters().end());
  run(start);
  const auto held = values_of(be, phi.view());
  // A share of 1 in the place of 0.001, so that both halves weigh about as much.
  loss(1.0, phi.view(), phi.view());
  network.backward(be, params.view(), phi.view(), {}, gradients.view(), ws);
  const auto stopped = [&](const std::vector<double>& at) {
    run(at);
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t k = 0; k < d; ++k) {
        mixed.view()[2 * i * d + k] = held[2 * i * d + k];
        mixed.view()[(2 * i + 1) * d + k] = phi.view()[(2 * i + 1) * d + k];
      }
    return loss(0.0, phi.view(), spare.view()) + loss(1.0, mixed.view(), spare.view()) -
           loss(0.0, mixed.view(), spare.view());
  };
  CHECK(slope_error(stopped, start, values_of(be, gradients.view())) < 1e-7);
}

TEST_CASE("a learned variance is trained, sampled with and scored", "[train]") {
  tbb_backend be{2};
  const data_set digits = stroke_digit_set(128, 32, 1, 12);
  const shape image{1, 1, 12, 12};
  auto denoiser = learning(plain_cnn{{16}, image, 2});
  const learned_variance_loss objective{.steps = chain_steps};
  const training_options options{
      .epochs = 15, .batch_size = 16, .learning_rate = 1e-3, .times = {chain_steps}, .pixels = {2.0f, -1.0f}};
  const auto bits = [&] {
    return elbo_in_bits(be, chain, denoiser, uniform_grid(chain_steps), as_view(digits.test.pixels),
                        {.chain = {.prior_variance = 1.0}, .pixels = options.pixels})
        .total();
  };
  denoiser.network().initialize(0);
  const double before = bits();
  const auto result = train(be, denoiser, chain, objective, digits, options);
  // Predicting no noise costs 1; a network that sees most of it must at least halve the loss on images it never saw.
  CHECK(result.test_losses.back() < 0.5 * result.test_losses.front());
  CHECK(bits() < before);

  const auto drawn = [&](const auto& sampler, std::size_t batch) {
    const auto made =
        sample(be, sampler, chain, denoiser, uniform_grid(chain_steps), {.images = 6, .seed = 2, .batch_size = batch});
    CHECK(made.nfe == chain_steps);
    return std::vector<float>(made.images.begin(), made.images.end());
  };
  const auto learned = drawn(learned_ddpm{}, 6);
  CHECK(std::all_of(learned.begin(), learned.end(), [](float p) { return std::isfinite(p); }));
  CHECK(drawn(learned_ddpm{}, 4) == learned);
  CHECK(drawn(ddpm{ancestral_variance::fixed_large}, 6) != learned);
  CHECK(drawn(ddpm{ancestral_variance::fixed_small}, 6) != learned);
}

TEST_CASE("an output that the objective does not take is refused before any work", "[train]") {
  serial_backend be;
  const data_set digits{stroke_digits(16, 1, 12), {}};
  const plain_cnn one{{2}, {1, 1, 12, 12}}, two{{2}, {1, 1, 12, 12}, 2};
  epsilon_denoiser narrow{one, chain};
  auto wide = learning(two);
  const training_options options{.epochs = 1, .batch_size = 8};
  CHECK_REFUSED(train(be, narrow, chain, learned_variance_loss{}, digits, options),
                "channels of the network's output is 1, but it must be as many times the images' as this objective "
                "says, 2");
  CHECK_REFUSED(train(be, wide, chain, epsilon_loss{}, digits, options),
                "channels of the network's output is 2, but it must be as many as the images', for this objective");
  CHECK_REFUSED(learning(one), "channels of the network's output is 1, but it must be twice those of the image");
}
