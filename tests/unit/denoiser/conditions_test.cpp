// What networks are asked with: the time on their own scale, the labels and whatever else is known of the images, and
// guidance by one network (Ho and Salimans 2022, Eq. 6).
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/karras_sigma.hpp>
#include <softscore/corruption/variance_preserving.hpp>
#include <softscore/denoiser/classifier_free.hpp>
#include <softscore/denoiser/classifier_guided.hpp>
#include <softscore/denoiser/edm_denoiser.hpp>
#include <softscore/denoiser/gaussian_denoiser.hpp>
#include <softscore/denoiser/in_precision.hpp>
#include <softscore/denoiser/learned_variance_denoiser.hpp>
#include <softscore/denoiser/mixture_denoiser.hpp>
#include <softscore/denoiser/network_denoiser.hpp>
#include <softscore/denoiser/network_time.hpp>
#include <softscore/denoiser/thresholding.hpp>
#include <softscore/nn/plain_cnn.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "class_network.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "scripted_network.hpp"
#include "slope.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

using preserving = corruption<scaling, variance_preserving>;
const preserving noise{scaling{}, variance_preserving{}};
const corruption<identity, karras_sigma> exploding{identity{}, karras_sigma{}};

// Notes what it is asked with; phi = x.
template <class Time, bool Whole = true>
struct listening_network {
  using time_type = Time;
  struct memory {
    std::vector<double> times;
    std::vector<class_label> labels;
    std::optional<dropout_draw> dropout;
  };
  std::size_t chain{1000};

  shape image() const { return {1, 1, 2, 2}; }
  std::size_t steps() const { return chain; }
  std::size_t label_count() const { return Whole ? 5 : 0; }
  template <class T, class Be>
  memory workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T>
  void evaluate(Be& be, const std::conditional_t<Whole, network_input<Time>, per_image<Time>>& asked,
                view_of<Be, const T> x, out_of<Be, T> out, memory& ws) const {
    note(asked, x.extent().images, ws);
    be.combine(out, term{1.0, x});
  }
  template <class Be, class T>
  void forward(Be& be, view_of<Be, const T> parameters,
               const std::conditional_t<Whole, network_input<Time>, per_image<Time>>& asked, in_of<Be, T> x,
               out_of<Be, T> out, memory& ws) const {
    note(asked, x.extent().images, ws);
    be.combine(out, term_of<Be, T>{1.0, x}, term_of<Be, T>{1.0, parameters});
  }

 private:
  static void note(const network_input<Time>& asked, std::size_t images, memory& ws) {
    ws.times.clear();
    for (std::size_t i = 0; i < images; ++i) ws.times.push_back(asked.times[i].value);
    ws.labels.assign(asked.given.labels.begin(), asked.given.labels.end());
    ws.dropout = asked.dropout;
  }
};

// Its output has twice the channels of x: x, and an eighth of the label.
struct sharing_network {
  using time_type = diffusion_time;
  struct nothing {};
  shape image() const { return {1, 1, 2, 2}; }
  std::size_t output_channels() const { return 2; }
  std::size_t label_count() const { return 5; }
  template <class T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, class T>
  void evaluate(Be&, const network_input<diffusion_time>& asked, view_of<Be, const T> x, out_of<Be, T> out,
                nothing&) const {
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i + i / 4 * 4] = x[i];
      out[i + i / 4 * 4 + 4] = asked.given.labels.empty() ? T{} : static_cast<T>(0.125 * asked.given.labels[i / 4]);
    }
  }
};

// A classifier without an opinion.
struct no_guide {
  struct nothing {};
  template <Scalar T, class Be>
  nothing workspace(Be&, shape) const {
    return {};
  }
  template <class Be, Scalar T>
  void gradient(Be& be, const condition&, in_of<Be, T> x, out_of<Be, T> out, nothing&) const {
    be.combine(out, term_of<Be, T>{0.0, x});
  }
};

// It takes no image without a label.
struct labels_needed : class_network {
  labels_needed() = default;
  void check(const conditioning& given, const shape&) const {
    const auto& all = given.labels;
    require(!all.empty() && std::find(all.begin(), all.end(), no_class) == all.end(), "labels given to a network", 0,
            "one for each image");
  }
};

// A denoiser pulls back where its network does.
static_assert(PullsBack<epsilon_denoiser<class_network, preserving>, serial_backend, double> &&
              !PullsBack<epsilon_denoiser<listening_network<log_snr>, preserving>, serial_backend, double> &&
              !PullsBack<edm_denoiser<listening_network<c_noise>, preserving>, serial_backend, double>);

const std::vector<diffusion_time> times{{1.0}, {0.25}, {0.001}};
const per_image<diffusion_time> each{std::span<const diffusion_time>{times}};
const shape three{3, 1, 2, 2};

// The times that a denoiser's network sees, for the times above and for the second alone.
template <class D, class Expected>
void check_times(const D& denoiser, const Expected& expected) {
  serial_backend be;
  auto memory = denoiser.template workspace<double>(be, three);
  const auto& network = [&]() -> auto& {
    if constexpr (requires { memory.network.network; })
      return memory.network.network;
    else
      return memory.network;
  }();
  const auto x = random_batch<double>(be, three, 1);
  auto out = be.make<double>(three);
  denoiser.estimate(be, condition{{0, 3}, each}, x.view(), out.view(), memory);
  REQUIRE(network.times.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(std::abs(network.times[i] - expected(times[i])) <= 1e-14 * (1.0 + std::abs(expected(times[i]))));
  denoiser.estimate(be, condition{{0, 3}, times[1]}, x.view(), out.view(), memory);
  for (std::size_t i = 0; i < 3; ++i) CHECK_THAT(network.times[i], WithinRel(expected(times[1]), 1e-14));
}

template <class D>
std::vector<double> estimates(const D& denoiser, const condition& q, const host_array<double>& x) {
  serial_backend be;
  auto memory = denoiser.template workspace<double>(be, x.extent());
  auto h = be.make<double>(x.extent());
  denoiser.estimate(be, q, x.view(), h.view(), memory);
  return values_of(be, h.view());
}

const epsilon_denoiser known{class_network{}, noise};
const shape five{5, 1, 3, 2};
const std::vector<class_label> labels{2, 0, no_class, 1, 2};
const condition of_labels{{0, 5}, diffusion_time{0.4}, {labels}};

}  // namespace

TEST_CASE("time k / T is the step index k - 1", "[denoiser]") {
  // Both ends and the middle of a chain of 1000, as diffusers count it.
  CHECK(step_index_at(diffusion_time{1.0 / 1000}, 1000).value == 0.0);
  CHECK(step_index_at(diffusion_time{0.5}, 1000).value == 499.0);
  CHECK(step_index_at(diffusion_time{1.0}, 1000).value == 999.0);
  for (const std::size_t chain : {1u, 7u, 49u, 1000u, 4096u})
    for (std::size_t k = 1; k <= chain; ++k)
      if (step_index_at(diffusion_time{static_cast<double>(k) / static_cast<double>(chain)}, chain).value !=
          static_cast<double>(k) - 1.0)
        FAIL("step " << k << " of " << chain);
  // Between two indices, and before the first.
  CHECK_THAT(step_index_at(diffusion_time{0.00125}, 1000).value, WithinAbs(0.25, 1e-12));
  CHECK(step_index_at(diffusion_time{0.0}, 1000).value == -1.0);
  CHECK_REFUSED(step_index_at(diffusion_time{1.0}, 0), "steps of the network's chain is 0, but it must be at least 1");
}

TEST_CASE("a network is asked on its own scale of time", "[denoiser]") {
  // The log-SNR of Kingma et al. 2021, and the noise level of Chen et al. 2021 and Saharia et al. 2021.
  const auto ratio = [](const auto& c, diffusion_time t) {
    return std::log(c.signal_gain(t) * c.signal_gain(t) / (c.sigma(t) * c.sigma(t)));
  };
  check_times(residual_denoiser{listening_network<diffusion_time>{}}, [](diffusion_time t) { return t.value; });
  check_times(clean_denoiser{listening_network<step_index>{}}, [](diffusion_time t) { return 1000 * t.value - 1; });
  check_times(epsilon_denoiser{listening_network<step_index>{4000}, noise},
              [](diffusion_time t) { return 4000 * t.value - 1; });
  check_times(epsilon_denoiser{listening_network<log_snr>{}, noise}, [&](diffusion_time t) { return ratio(noise, t); });
  check_times(velocity_denoiser{listening_network<noise_level>{}, noise},
              [](diffusion_time t) { return noise.signal_gain(t); });
  check_times(score_denoiser{listening_network<sigma>{}, exploding},
              [](diffusion_time t) { return exploding.sigma(t); });
  // c_noise is ln(sigma / a) / 4, of EDM's wrapper or of another's corruption.
  check_times(epsilon_denoiser{listening_network<c_noise>{}, noise},
              [&](diffusion_time t) { return -ratio(noise, t) / 8; });
  check_times(edm_denoiser{listening_network<c_noise>{}, noise},
              [&](diffusion_time t) { return -ratio(noise, t) / 8; });
  // And one that takes the times alone.
  check_times(epsilon_denoiser{listening_network<step_index, false>{}, noise},
              [](diffusion_time t) { return 1000 * t.value - 1; });
  check_times(edm_denoiser{listening_network<c_noise, false>{}, exploding},
              [&](diffusion_time t) { return 0.25 * std::log(exploding.sigma(t)); });
}

TEST_CASE("a time that a network's scale has no number for is refused", "[denoiser]") {
  const epsilon_denoiser denoiser{listening_network<log_snr>{}, noise};
  CHECK_NOTHROW(denoiser.check(diffusion_time{0.5}));
  CHECK_REFUSED(denoiser.check(diffusion_time{0.0}),
                "sigma, for a network that takes the log-SNR is 0, but it must be above 0");
}

TEST_CASE("labels reach the network through every wrapper", "[denoiser]") {
  const auto check = [](const auto& denoiser, const auto& seen) {
    serial_backend be;
    const std::vector<class_label> asked{4, no_class, 0};
    auto memory = denoiser.template workspace<double>(be, three);
    const auto x = random_batch<double>(be, three, 1);
    auto out = be.make<double>(three);
    denoiser.check(conditioning{asked}, three);
    denoiser.estimate(be, condition{{0, 3}, each, {asked}}, x.view(), out.view(), memory);
    CHECK(seen(memory).labels == asked);
    CHECK_FALSE(seen(memory).dropout);
    denoiser.estimate(be, condition{{0, 3}, each}, x.view(), out.view(), memory);
    CHECK(seen(memory).labels.empty());
    CHECK(denoiser.label_count() == 5);
    CHECK_REFUSED(denoiser.check(conditioning{std::vector<class_label>{1, 5, 0}}, three),
                  "the label of image 1 is 5, but it must be between 0 and 4, or -1 for none");
    CHECK_REFUSED(denoiser.check(conditioning{std::vector<class_label>{-2}}, three),
                  "the label of image 0 is -2, but it must be between 0 and 4, or -1 for none");
  };
  const epsilon_denoiser inner{listening_network<step_index>{}, noise};
  const auto of_network = [](auto& memory) -> auto& { return memory.network; };
  check(inner, of_network);
  check(edm_denoiser{listening_network<c_noise>{}, noise},
        [](auto& memory) -> auto& { return memory.network.network; });
  check(in_precision<float>(inner), [](auto& memory) -> auto& { return memory.inner.network; });
  check(static_thresholding{inner}, [](auto& memory) -> auto& { return memory.denoiser.network; });
  check(dynamic_thresholding{inner}, [](auto& memory) -> auto& { return memory.denoiser.network; });
  check(classifier_guided{inner, noise, no_guide{}}, [](auto& memory) -> auto& { return memory.denoiser.network; });
  check(classifier_free{inner, inner, 2.0}, [](auto& memory) -> auto& { return memory.conditional.network; });
}

TEST_CASE("what a network does not take is refused before it is asked", "[denoiser]") {
  const conditioning some{labels};
  const auto refuses_labels = [&](const auto& denoiser) {
    CHECK_NOTHROW(denoiser.check(conditioning{}, five));
    CHECK_REFUSED(denoiser.check(some, five),
                  "labels given to a network is 5, but it must be none, for this network takes no labels");
  };
  refuses_labels(residual_denoiser{plain_cnn{{2}, {1, 1, 3, 2}}});
  refuses_labels(epsilon_denoiser{scripted_network{}, noise});
  refuses_labels(edm_denoiser{scripted_network{}, noise});
  refuses_labels(epsilon_denoiser{listening_network<step_index, false>{}, noise});  // 0 classes
  refuses_labels(in_precision<float>(static_thresholding{residual_denoiser{scripted_network{}}}));
  // The second of two is asked without labels.
  CHECK_NOTHROW(classifier_free(known, epsilon_denoiser{scripted_network{}, noise}, 2.0).check(some, five));
  refuses_labels(classifier_free{epsilon_denoiser{scripted_network{}, noise}, known, 2.0});

  const std::vector<float> numbers(30);
  const view<const float, host_space> image{numbers.data(), five}, features{numbers.data(), {5, 6, 1, 1}};
  for (const auto& given : {conditioning{{}, image, {}}, conditioning{{}, {}, features}}) {
    const char* rule = "but it must be missing, for this network takes none";
    CHECK_REFUSED((residual_denoiser{plain_cnn{{2}, {1, 1, 3, 2}}}.check(given, five)), rule);
    CHECK_REFUSED((epsilon_denoiser{scripted_network{}, noise}.check(given, five)), rule);
    CHECK_REFUSED((edm_denoiser{scripted_network{}, noise}.check(given, five)), rule);
  }
  CHECK_NOTHROW(known.check(conditioning{{}, image, {}}, five));
  CHECK_REFUSED(known.check(conditioning{{}, {}, features}, five), "features given to a network is 5 x 6 x 1 x 1");

  CHECK_REFUSED(require_one_per_image(some, three), "number of labels is 5, but it must be that of the images, 3");
  CHECK_REFUSED(require_one_per_image(conditioning{{}, image, {}}, three),
                "number of images given beside x is 5, but it must be that of the images, 3");
  CHECK_REFUSED(require_one_per_image(conditioning{{}, image, {}}, shape{5, 1, 2, 2}),
                "height of the images given beside x is 3, but it must be that of x, 2");
  CHECK_REFUSED(require_one_per_image(conditioning{{}, image, {}}, shape{5, 1, 3, 3}),
                "width of the images given beside x is 2, but it must be that of x, 3");
  CHECK_REFUSED(require_one_per_image(conditioning{{}, {}, features}, three),
                "number of rows of features is 5, but it must be that of the images, 3");
}

TEST_CASE("a training step asks the network under given parameters, with labels and a draw of dropout", "[denoiser]") {
  serial_backend be;
  const auto x = random_batch<double>(be, three, 1), parameters = random_batch<double>(be, three, 2);
  auto out = be.make<double>(three);
  const auto check = [&](const auto& denoiser, const std::vector<class_label>& asked, double second) {
    auto memory = denoiser.template workspace<double>(be, three);
    auto& seen = [&]() -> auto& {
      if constexpr (requires { memory.network.network; })
        return memory.network.network;
      else
        return memory.network;
    }();
    forward_network<serial_backend, double>(be, denoiser, parameters.view(), condition{{6, 3}, each, {asked}},
                                            dropout_draw{1, 2, 3}, x.view(), out.view(), memory);
    for (std::size_t i = 0; i < three.size(); ++i) CHECK(out.view()[i] == x.view()[i] + parameters.view()[i]);
    CHECK_THAT(seen.times.at(1), WithinRel(second, 1e-14));
    CHECK(seen.labels == asked);
    if (asked.empty()) return;
    REQUIRE(seen.dropout);
    CHECK((seen.dropout->seed == 1 && seen.dropout->step == 2 && seen.dropout->first_image == 3));
  };
  check(epsilon_denoiser{listening_network<step_index>{}, noise}, {1, 2, 3}, 249.0);
  check(epsilon_denoiser{listening_network<step_index, false>{}, noise}, {}, 249.0);
  check(clean_denoiser{listening_network<diffusion_time>{}}, {no_class, 4, 0}, 0.25);
}

TEST_CASE("under EDM a training step sees the scaled image, labels and a draw of dropout", "[denoiser]") {
  serial_backend be;
  const auto x = random_batch<double>(be, three, 1);
  auto zero = be.make<double>(three), out = be.make<double>(three);
  const edm_denoiser denoiser{listening_network<c_noise>{}, noise};
  auto memory = denoiser.workspace<double>(be, three);
  const std::vector<class_label> asked{3, 2, 1};
  forward_network<serial_backend, double>(be, denoiser, zero.view(), condition{{0, 3}, each, {asked}},
                                          dropout_draw{1, 2, 3}, x.view(), out.view(), memory);
  CHECK(memory.network.network.labels == asked);
  REQUIRE(memory.network.network.dropout);
  for (std::size_t i = 0; i < three.size(); ++i) {
    const double a = noise.signal_gain(times[i / 4]), s = noise.sigma(times[i / 4]) / a;
    CHECK_THAT(out.view()[i], WithinRel(x.view()[i] / a / std::sqrt(s * s + 0.25), 1e-14));
  }
}

TEST_CASE("the network with classes is exact", "[denoiser]") {
  // Images of one pixel, whose distribution is the mixture, or one component of it.
  serial_backend be;
  const class_network network{{-0.8f, 0.1f, 0.9f}, 0.2, {1, 1, 1, 1}};
  const epsilon_denoiser denoiser{network, noise};
  const shape many{4, 1, 1, 1};
  const auto x = random_batch<double>(be, many, 3);
  gaussian_mixture all;
  for (const float mean : network.parameters())
    all.push_back({1.0 / 3, Eigen::VectorXd::Constant(1, mean), Eigen::MatrixXd::Constant(1, 1, 0.04)});
  for (const double t : {0.05, 0.3, 0.9}) {
    const condition without{{0, 4}, diffusion_time{t}};
    // 1 / a is at most 60, over a handful of roundings of numbers of size 1.
    const auto check = [&](const auto& exact, const condition& q) {
      const auto found = estimates(denoiser, q, x), wanted = estimates(exact, without, x);
      for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(found[i], WithinAbs(wanted[i], 1e-12));
    };
    check(mixture_denoiser{noise, all, many}, without);
    for (class_label k = 0; k < 3; ++k) {
      const std::vector<class_label> same(4, k);
      const auto& part = all[static_cast<std::size_t>(k)];
      check(gaussian_denoiser{noise, part.mean, part.covariance, many}, condition{{0, 4}, diffusion_time{t}, {same}});
    }
  }
}

TEST_CASE("guidance by one network is that by two, to the bit", "[denoiser]") {
  serial_backend be;
  const auto x = random_batch<double>(be, five, 1), v = random_batch<double>(be, five, 2);
  const std::vector<diffusion_time> own{{0.9}, {0.4}, {0.05}, {0.7}, {0.2}};
  const per_image<diffusion_time> of_each{std::span<const diffusion_time>{own}};
  std::vector<float> numbers(five.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 0.1f * static_cast<float>(i % 7);
  const view<const float, host_space> image{numbers.data(), five};
  for (const double scale : {0.0, 0.5, 1.0, 2.0, 7.5}) {
    CAPTURE(scale);
    const classifier_free one{known, scale};
    const classifier_free two{known, known, scale};
    static_assert(decltype(one)::evaluations == 2 && decltype(two)::evaluations == 2);
    auto of_one = one.workspace<double>(be, five.with_images(6));
    auto of_two = two.workspace<double>(be, five);
    auto h = be.make<double>(five), wanted = be.make<double>(five);
    for (const condition& q : {of_labels, condition{{0, 5}, of_each, {labels}}, condition{{0, 5}, of_each},
                               condition{{0, 5}, of_each, {labels, image, {}}}}) {
      const std::size_t evaluations = of_one.denoiser.network.evaluations, images = of_one.denoiser.network.images;
      one.estimate(be, q, x.view(), h.view(), of_one);
      two.estimate(be, q, x.view(), wanted.view(), of_two);
      if (q.given.labels.empty()) {
        // h_u + scale (h_c - h_u) rounds where h_c = h_u: by the scale times two roundings of numbers below 10.
        for (std::size_t i = 0; i < five.size(); ++i) CHECK_THAT(h.view()[i], WithinAbs(wanted.view()[i], 1e-13));
      } else {
        CHECK(values_of(be, h.view()) == values_of(be, wanted.view()));
      }
      // Once for both; and where one half decides, for that half.
      const bool half = q.given.labels.empty() || scale == 0.0 || scale == 1.0;
      CHECK(of_one.denoiser.network.evaluations == evaluations + 1);
      CHECK(of_one.denoiser.network.images == images + (half ? 5 : 10));
      one.pullback(be, q, v.view(), h.view(), of_one);
      two.pullback(be, q, v.view(), wanted.view(), of_two);
      for (std::size_t i = 0; i < five.size(); ++i) CHECK_THAT(h.view()[i], WithinAbs(wanted.view()[i], 1e-13));
    }
  }
}

namespace {

// h is the number of an image in its run, and half more if it has a class: it depends on both, as that of a network
// does which knows what was measured of each image.
struct numbered {
  static constexpr int evaluations = 1;
  struct memory {};

  std::size_t label_count() const { return 5; }
  template <Scalar T, class Be>
  memory workspace(Be&, const shape&) const {
    return {};
  }
  template <class Be, Scalar T>
  void estimate(Be&, const condition& q, in_of<Be, T>, out_of<Be, T> out, memory&) const {
    const std::size_t size = out.extent().per_image();
    for (std::size_t i = 0; i < out.size(); ++i) {
      const bool classless = q.given.labels.empty() || q.given.labels[i / size] == no_class;
      out[i] = static_cast<T>(q.images.number(i / size)) + (classless ? T{} : T{0.5});
    }
  }
};

}  // namespace

TEST_CASE("guidance by one network asks both halves about the images of the batch, by their numbers", "[denoiser]") {
  serial_backend be;
  const classifier_free guided{numbered{}, 3.0};
  static_assert(decltype(guided)::evaluations == 2);
  auto memory = guided.workspace<double>(be, five);
  auto x = be.make<double>(five), h = be.make<double>(five);
  for (const std::uint64_t first : {0u, 7u}) {
    const std::vector<class_label> classes{0, 1, 2, 3, 4};
    guided.estimate<serial_backend, double>(be, condition{{first, 5}, diffusion_time{0.5}, {classes}}, x.view(),
                                            h.view(), memory);
    // n + 3 (n + 1/2 - n), exactly.
    for (std::size_t i = 0; i < five.size(); ++i) CHECK(h.view()[i] == static_cast<double>(first + i / 6) + 1.5);
  }
}

TEST_CASE("guidance has the closed form of its mixture at scales 0, 1 and 2", "[denoiser]") {
  serial_backend be;
  const class_network network{{-0.8f, 0.1f, 0.9f}, 0.2, {1, 1, 1, 1}};
  const shape many{3, 1, 1, 1};
  const auto x = random_batch<double>(be, many, 3);
  const std::vector<class_label> asked{2, 0, 1};
  gaussian_mixture all;
  for (const float mean : network.parameters())
    all.push_back({1.0 / 3, Eigen::VectorXd::Constant(1, mean), Eigen::MatrixXd::Constant(1, 1, 0.04)});
  const condition q{{0, 3}, diffusion_time{0.3}, {asked}};
  const auto without = estimates(mixture_denoiser{noise, all, many}, q, x);
  for (const double scale : {0.0, 1.0, 2.0}) {
    const auto found = estimates(classifier_free{epsilon_denoiser{network, noise}, scale}, q, x);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& part = all[static_cast<std::size_t>(asked[i])];
      const auto with = estimates(gaussian_denoiser{noise, part.mean, part.covariance, many}, q, x);
      CHECK_THAT(found[i], WithinAbs(without[i] + scale * (with[i] - without[i]), 1e-12));
    }
  }
}

TEST_CASE("guidance by one network pulls back what it adds", "[denoiser]") {
  serial_backend be;
  const classifier_free guided{static_thresholding{known, {-5.0, 5.0}}, 2.5};
  auto x = be.make<double>(five), h = be.make<double>(five), pulled = be.make<double>(five);
  const auto place = normal_numbers(five.size(), 1), along = normal_numbers(five.size(), 2);
  auto v = be.make<double>(five);
  be.upload(place.data(), x.view());
  be.upload(along.data(), v.view());
  auto memory = guided.workspace<double>(be, five);
  guided.estimate(be, of_labels, x.view(), h.view(), memory);
  guided.pullback(be, of_labels, v.view(), pulled.view(), memory);
  const auto product = [&](const std::vector<double>& at) {
    be.upload(at.data(), x.view());
    const auto values = estimates(guided, of_labels, x);
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * along[i];
    return sum;
  };
  CHECK(slope_error(product, place, values_of(be, pulled.view())) < 1e-7);  // the bound of slope.hpp
}

TEST_CASE("wrappers pass on a learned variance, and guidance that of the labels", "[denoiser]") {
  const learned_variance_denoiser learned{sharing_network{}, noise};
  const auto check = [&](const auto& denoiser) {
    serial_backend be;
    const auto x = random_batch<double>(be, three, 1);
    auto out = be.make<double>(three);
    auto memory = denoiser.template workspace<double>(be, three.with_images(4));
    const std::vector<class_label> asked{4, 0, 2};
    const condition q{{0, 3}, each, {asked}};
    denoiser.estimate(be, q, x.view(), out.view(), memory);
    denoiser.variance_share(be, q, out.view(), memory);
    for (std::size_t i = 0; i < three.size(); ++i) CHECK(out.view()[i] == 0.125 * asked[i / 4]);
  };
  check(learned);
  check(static_thresholding{learned});
  check(dynamic_thresholding{learned});
  check(classifier_guided{learned, noise, no_guide{}});
  check(in_precision<double>(learned));
  check(in_precision<float>(learned));
  check(classifier_free{learned, learned, 2.0});
  for (const double scale : {1.0, 2.0}) check(classifier_free{static_thresholding{learned}, scale});
  static_assert(!LearnsVariance<static_thresholding<decltype(known)>, serial_backend, double>);
}

TEST_CASE("guidance by one network refuses what it cannot ask", "[denoiser]") {
  CHECK_REFUSED(classifier_free(known, INFINITY), "scale is inf, but it must be finite");
  CHECK_REFUSED(classifier_free(epsilon_denoiser{listening_network<step_index, false>{}, noise}, 2.0),
                "classes of a network under classifier-free guidance is 0, but it must be at least 1");
}

TEST_CASE("guidance by one network refuses one that needs labels, before it is asked", "[denoiser]") {
  const std::vector<class_label> of_two{0, 2};
  conditioning given;
  given.labels = of_two;
  const shape two{2, 1, 4, 4};
  const epsilon_denoiser needs{labels_needed{}, noise};
  CHECK_REFUSED(classifier_free(needs, 2.0).check(given, two), "labels given to a network is 0, but it must be one");
  CHECK_REFUSED(classifier_free(needs, 0.0).check(given, two), "labels given to a network is 0, but it must be one");
  CHECK_NOTHROW(classifier_free(needs, 1.0).check(given, two));
}
