// The plainest call of every public verb, as one who has just read the README writes it: the whole library in one
// include, options in braces, no template argument that can be deduced. To compile on both compilers is most of the
// test.
#include "catch.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <softscore/softscore.hpp>

#include "idx_files.hpp"
#include "temporary_folder.hpp"

using namespace softscore;

namespace {

// What a first program has at hand.
struct first_program {
  serial_backend backend;
  data_set digits = stroke_digit_set(12, 8, 1, 14);
  corruption<scaling, linear_beta> noise{scaling{}, linear_beta{20}};
  corruption<gaussian_blur, two_stage> blurring{gaussian_blur{.half_width = 4}, two_stage{.level_max = 2.0}};
  plain_cnn network{{2, 2}, {1, 1, 14, 14}};
  epsilon_denoiser<plain_cnn, corruption<scaling, linear_beta>> denoiser{network, noise};
  time_grid grid = uniform_grid(3);
};

row_matrix<double> cloud(std::uint64_t seed) {
  row_matrix<double> points(8, 2);
  for (Eigen::Index i = 0; i < points.size(); ++i)
    points.data()[i] = uniform({seed, noise_stream::user}, static_cast<std::uint64_t>(i), 0);
  return points;
}

}  // namespace

TEST_CASE("plainest calls: to draw", "[calls]") {
  first_program f;
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, f.grid).images.shape(0) == 64);
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, f.grid, {}).images.shape(0) == 64);
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, f.grid, {.images = 3}).images.shape(0) == 3);
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, uniform_grid(3), {.images = 3, .seed = 1}).nfe == 3);
  CHECK(sample<double>(f.backend, ddim{}, f.noise, f.denoiser, f.grid, {.images = 3}).images.shape(0) == 3);
  const sample_options options{.images = 3};
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, f.grid, options).images.shape(0) == 3);
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, f.grid, {.images = 3, .image = shape{1, 1, 14, 14}},
               [](const auto&) {})
            .nfe == 3);
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, f.grid, {.images = 3}, progress_bar{}).nfe == 3);
  std::vector<float> pixels(3 * 14 * 14);
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, f.grid, std::span{pixels}, {.images = 3}).nfe == 3);

  auto start = draw_start<float>(f.backend, f.noise, f.grid, {1, 1, 14, 14}, {0, 3}, 1);
  CHECK(integrate(f.backend, ddim{}, f.noise, f.denoiser, f.grid, std::move(start), 1).nfe == 3);

  auto clean = f.backend.make<float>({3, 1, 14, 14}), noisy = f.backend.make<float>({3, 1, 14, 14});
  forward_euler_maruyama(f.backend, f.noise, f.grid, clean.view(), {0, 3}, 1, noisy.view());
  CHECK(noisy.view()[0] != 0.0f);
  forward_euler_maruyama(f.backend, f.noise, f.denoiser, f.grid, clean.view(), {0, 3}, 1, noisy.view());
  CHECK(noisy.view()[0] != 0.0f);
}

TEST_CASE("plainest calls: to train", "[calls]") {
  first_program f;
  CHECK(train(f.backend, f.denoiser, f.noise, epsilon_loss{}, f.digits, {.epochs = 1, .batch_size = 6}).losses.size() ==
        2);
  const temporary_folder folder;
  const auto file = folder / "checkpoint.safetensors";
  const auto trained = train(f.backend, f.denoiser, f.noise, epsilon_loss{}, f.digits,
                             {.epochs = 1, .batch_size = 6, .checkpoint = file});
  CHECK(trained.losses.size() == 2);
  const auto state = read_checkpoint(read_safetensors(file), f.denoiser.network().layout());
  CHECK(state.losses.size() == 2);
  CHECK(train(
            f.backend, f.denoiser, f.noise, epsilon_loss{}, f.digits, {.epochs = 2, .batch_size = 6},
            [](const training_progress&) {}, state)
            .losses.size() == 4);
  CHECK(read_parameters(read_safetensors(file), f.denoiser.network().layout()).size() == state.parameters.size());
  write_checkpoint(folder / "again.safetensors", f.denoiser.network().layout(), state, {{"recipe", "ddpm"}});
  CHECK(read_safetensors(folder / "again.safetensors").metadata("recipe") == "ddpm");

  CHECK(fit_prior(f.backend, f.blurring, as_view(f.digits.training.pixels)).deviations().size() > 0);
  CHECK(fit_prior(f.backend, f.blurring, as_view(f.digits.training.pixels), {.gain = 2.0f, .offset = -1.0f})
            .deviations()
            .size() > 0);
  CHECK(fit_color_prior(as_view(f.digits.training.pixels)).deviations().size() == 1);
  CHECK(fit_color_prior(as_view(f.digits.training.pixels), {.gain = 2.0f, .offset = -1.0f}).deviations().size() == 1);
}

TEST_CASE("plainest calls: to compare", "[calls]") {
  first_program f;
  const row_matrix<double> x = cloud(1), y = cloud(2);
  CHECK(frechet_distance(x, y) > 0.0);
  CHECK(frechet_distance(moments_of(x), moments_of(y)) > 0.0);
  CHECK(gaussian_kl(moments_of(x), moments_of(y)) > 0.0);
  CHECK(sinkhorn_distance(x, y) > 0.0);
  CHECK(sinkhorn_distance(x, y, {.rounds = 2000}) > 0.0);
  CHECK(sinkhorn_distance(f.backend, x, y) > 0.0);
  CHECK(sinkhorn_distance(f.backend, x, y, {.rounds = 2000}) > 0.0);
  CHECK(sinkhorn_divergence(x, y) > 0.0);
  CHECK(sinkhorn_divergence(x, y, {.rounds = 2000}) > 0.0);
  const auto cost = squared_distances<double>(x, y);
  CHECK(sinkhorn(cost).cost > 0.0);
  CHECK(sinkhorn(cost, {.rounds = 2000}).cost > 0.0);
  CHECK(sinkhorn(f.backend, cost, {.rounds = 2000}).cost > 0.0);
  const Eigen::VectorXd equal = Eigen::VectorXd::Constant(8, 0.125);
  CHECK(sinkhorn(cost, equal, equal, {.rounds = 2000}).cost > 0.0);
  CHECK(sliced_wasserstein(x, y) > 0.0);

  const auto images = as_view(f.digits.training.pixels), others = as_view(f.digits.test.pixels);
  const auto components = fit_principal_components(images, 2);
  CHECK(frechet_in_components(components, images, others) >= 0.0);
  CHECK(project(components, others).rows() == 8);
  CHECK(nearest_images(others, images).size() == 8);
}

TEST_CASE("plainest calls: to bound likelihoods", "[calls]") {
  first_program f;
  auto clean = f.backend.make<float>({2, 1, 14, 14});
  CHECK(elbo(f.backend, f.noise, f.denoiser, f.grid, clean.view()).prior.size() == 2);
  CHECK(elbo(f.backend, f.noise, f.denoiser, f.grid, clean.view(), {.seed = 1}).prior.size() == 2);
  const auto images = as_view(f.digits.test.pixels);
  CHECK(elbo_in_bits(f.backend, f.noise, f.denoiser, f.grid, images).prior > 0.0);
  CHECK(elbo_in_bits(f.backend, f.noise, f.denoiser, f.grid, images, {.chain = {.seed = 1}, .batch_size = 2}).prior >
        0.0);
  const auto likelihood = [&](const auto&... options) {
    return log_likelihood(f.backend, f.noise, f.denoiser, uniform_grid(2, 1.0, 0.1), clean.view(), white_density{},
                          options...);
  };
  CHECK(likelihood().log_density.size() == 2);
  CHECK(likelihood_grid(f.noise).steps() == 200);
  CHECK(log_likelihood(f.backend, f.noise, f.denoiser, uniform_grid(2, 1.0, 0.1), clean.view(), white_density{},
                       {.trace = trace_by::probes, .probes = 2})
            .log_density.size() == 2);
}

TEST_CASE("plainest calls: to search a schedule", "[calls]") {
  first_program f;
  const auto images = as_view(f.digits.training.pixels);
  const auto found = search_levels(f.backend, gaussian_blur{.half_width = 4}, images, geometric_levels(33, 0.1, 2.0));
  CHECK(found.levels.size() >= 2);
  const auto few =
      search_levels(f.backend, gaussian_blur{.half_width = 4}, images, geometric_levels(6, 0.1, 2.0), {.nodes = 3});
  CHECK(few.levels.size() >= 2);
  CHECK(search_levels(f.backend, gaussian_blur{.half_width = 4}, images, even_levels(6, 0.1, 2.0), {.nodes = 3},
                      [](const search_progress&) {})
            .levels.size() >= 2);
  const tabulated schedule = after_noise(few.levels, {.sigma_max = 0.1});
  const tabulated matched = matched_mse(f.backend, gaussian_blur{.half_width = 4}, images, {0.1, 0.5, 1.0}, 0.1, {});
  CHECK(matched.points().size() > 2);

  const temporary_folder folder;
  write_schedule(folder / "schedule.json", {schedule});
  write_schedule(folder / "schedule.json", {schedule, {{"operator", "blur"}}});
  CHECK(read_schedule(folder / "schedule.json").about.at("operator") == "blur");
  CHECK(parse_schedule(schedule_text({schedule}), "a text").schedule.points().size() == schedule.points().size());
}

TEST_CASE("plainest calls: grids", "[calls]") {
  first_program f;
  CHECK(linspace_grid(20, 4).steps() > 0);
  CHECK(leading_grid(20, 4).steps() > 0);
  CHECK(trailing_grid(20, 4).steps() > 0);
  CHECK(quadratic_grid(20, 4).steps() > 0);
  CHECK(grid_of_indices(20, {19, 10, 0}).steps() == 3);
  CHECK(grid_of_indices(20, std::vector<std::size_t>{19, 10, 0}).steps() == 3);
  CHECK(grid_of_indices(20, linspace_indices(20, 4)).steps() == 4);
  CHECK(log_snr_grid(f.noise, 4).steps() == 4);
  const corruption exploding{identity{}, karras_sigma{.sigma_min = 0.0}};
  CHECK(karras_grid(exploding, 4).steps() == 4);
  CHECK(grid_of_noise(exploding, {80.0, 1.0, 0.1}).steps() == 3);
  CHECK(grid_of_noise(exploding, karras_sigmas(5, 0.002, 80.0)).steps() == 5);
  CHECK(sample(f.backend, ddim{}, f.noise, f.denoiser, time_grid{{1.0, 0.5, 0.0}}, {.images = 1}).nfe == 2);
}

TEST_CASE("plainest calls: files", "[calls]") {
  const first_program f;
  const temporary_folder folder;
  write_npy(folder / "images.npy", f.digits.test.pixels);
  write_npy(folder / "images.npy", as_view(f.digits.test.pixels));
  CHECK(read_npy(folder / "images.npy").shape(0) == 8);
  write_png(folder / "images.png", tiled(f.digits.test.pixels, 4));
  write_png(folder / "images.png", tiled(as_view(f.digits.test.pixels), 4));
  CHECK(read_png(folder / "images.png").shape(0) == 1);
  CHECK(decode_png(encode_png(tiled(f.digits.test.pixels, 4)), "a picture").shape(0) == 1);
  write_file(folder / "words.txt", "some words");
  CHECK(read_file(folder / "words.txt").size() == 10);
  CHECK(base64(read_file(folder / "words.txt")) == "c29tZSB3b3Jkcw==");
  CHECK(data_uri("image/png", encode_png(tiled(f.digits.test.pixels, 4))).starts_with("data:image/png;base64,"));
  CHECK(read_image_folder(folder.path()).shape(0) == 1);

  const std::vector<float> values{1.0f, 2.0f, 3.0f};
  write_safetensors(folder / "values.safetensors", {{"values", {3}, values}});
  write_safetensors(folder / "values.safetensors", {{"values", {3}, values}, {"more", {1, 3}, values}},
                    {{"made by", "hand"}});
  const auto file = read_safetensors(folder / "values.safetensors");
  CHECK(file.tensor<float>("values") == values);
  CHECK(file.tensor<float>("more", {1, 3}) == values);

  folder.put("train-images-idx3-ubyte", idx_images_file(3, 28, 28));
  folder.put("train-labels-idx1-ubyte", idx_labels_file(3));
  folder.put("t10k-images-idx3-ubyte", idx_images_file(2, 28, 28));
  folder.put("t10k-labels-idx1-ubyte", idx_labels_file(2));
  CHECK(read_mnist(folder.path()).test.labels.size() == 2);
  CHECK(read_idx_images(folder / "t10k-images-idx3-ubyte").shape(0) == 2);
  CHECK(read_idx_labels(folder / "t10k-labels-idx1-ubyte").size() == 2);
  CHECK(read_cifar10(folder.put("batch.bin", std::string(3073, '\1'))).labels.size() == 1);
  CHECK(stroke_digits(2, 1).labels.size() == 2);
}

TEST_CASE("plainest calls: operators and denoisers", "[calls]") {
  first_program f;
  CHECK(check_laws(fade{}).holds());
  CHECK(check_laws(fade{}, {.seed = 2}).holds());
  CHECK(check_laws(fade{}, f.backend, {.seed = 2}).holds());
  const auto in_double = in_precision<float>(f.denoiser);
  CHECK(sample<double>(f.backend, ddim{}, f.noise, in_double, f.grid, {.images = 1}).nfe == 3);

  std::vector<double> y(2 * 14 * 14, 0.25);
  const observation seen{{2, 1, 14, 14}, y};
  const measurement how{centered_mask{}, level{4.0}, 0.1};
  CHECK(sample(f.backend, projection{how, seen}, f.noise, f.denoiser, f.grid, {.images = 2}).nfe == 3);
  CHECK(sample(f.backend, dps{how, seen}, f.noise, f.denoiser, f.grid, {.images = 2}).nfe == 3);

  auto x = f.backend.make<float>({1, 1, 14, 14}), h = f.backend.make<float>({1, 1, 14, 14}),
       out = f.backend.make<float>({1, 1, 14, 14});
  const diffusion_time t{0.5};
  epsilon_from_clean(f.backend, f.noise, t, x.view(), h.view(), out.view());
  score_from_clean(f.backend, f.noise, t, x.view(), h.view(), out.view());
  velocity_from_clean(f.backend, f.noise, t, x.view(), h.view(), out.view());
  clean_from(f.backend, residual_parameterization{}, t, x.view(), h.view(), out.view());
  CHECK(std::isfinite(out.view()[0]));
}
