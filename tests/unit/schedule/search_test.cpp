// The schedule search of Daras et al. 2022 on small clouds, with the debiased distances of Feydy et al. 2019, against
// every pair evaluated by hand, its baseline against the formula of their Eq. 55, and the table and the file that hold
// a schedule.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/tabulated.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/scaling.hpp>
#include <softscore/schedule/matched_mse.hpp>
#include <softscore/schedule/schedule_file.hpp>
#include <softscore/schedule/wasserstein_search.hpp>

#include "foreign_locale.hpp"
#include "random_batch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

const shape extent{24, 1, 5, 6};

search_options few_nodes(std::size_t nodes) {
  return {.nodes = nodes, .slack = std::numeric_limits<double>::infinity(), .chunk = 3, .clouds = 5};
}

}  // namespace

TEST_CASE("the search takes the best path between the clouds themselves", "[schedule]") {
  serial_backend be;
  const auto images = random_batch<float>(be, extent, 1);
  const auto levels = even_levels(12, 0.0, 1.0);
  const auto options = few_nodes(5);
  std::size_t looks = 0;
  search_progress last;
  const auto found = search_levels(be, fade{}, images.view(), levels, options, [&](const search_progress& p) {
    ++looks;
    CHECK(p.pairs >= last.pairs);
    last = p;
  });
  CHECK(found.indices.size() == 5);
  CHECK(found.indices.front() == 0);
  CHECK(found.indices.back() == 11);
  CHECK(found.pairs == last.pairs);
  CHECK(found.unfinished == 0);
  CHECK(looks > found.pairs / 3);
  for (std::size_t i = 0; i < 5; ++i) CHECK(found.levels[i] == levels[found.indices[i]]);

  // All pairs, from clouds made here, with the same noise.
  auto noise = be.make<float>(extent);
  be.normal(noise_key{.seed = 0, .stream = noise_stream::user}, image_range{0, extent.images}, noise.view());
  std::vector<row_matrix<float>> clouds;
  for (const double w : levels) {
    auto cloud = be.make<float>(extent);
    degradation<fade>::apply(fade{}, be, per_image<level>{level{w}}, view<const float, host_space>(images.view()),
                             cloud.view());
    be.combine(cloud.view(), term{1.0, cloud.view()}, term{0.1, noise.view()});
    clouds.emplace_back(as_matrix(cloud.view()));
  }
  const auto distance = [&](std::size_t k, std::size_t l) {
    return std::sqrt(std::max(0.0, sinkhorn_divergence<float>(clouds[k], clouds[l], options.transport)));
  };
  for (std::size_t i = 1; i < 5; ++i) {
    CHECK(found.edges[i - 1] == distance(found.indices[i - 1], found.indices[i]));
    CHECK(found.edges[i - 1] <= found.longest);
  }
  const auto row = [&](std::size_t k, std::size_t first, std::size_t count, double* out) {
    for (std::size_t j = 0; j < count; ++j) out[j] = distance(k, first + j);
  };
  distance_band all{12, row, 11, std::numeric_limits<double>::infinity()};
  CHECK((even_path(all, found.longest, 5).nodes == found.indices));

  // Fewer clouds kept, and a narrow band: the same path.
  auto narrow = options;
  narrow.slack = 1.3;
  narrow.clouds = 2;
  const auto again = search_levels(be, fade{}, images.view(), levels, narrow);
  CHECK((again.indices == found.indices));
  CHECK(again.clouds > found.clouds);

  // Without the debiasing, the distances of Daras et al. 2022.
  auto biased = options;
  biased.debiased = false;
  const auto plain = search_levels(be, fade{}, images.view(), levels, biased);
  REQUIRE(plain.indices.size() >= 2);
  const auto with_floor = [&](std::size_t k, std::size_t first, std::size_t count, double* out) {
    for (std::size_t j = 0; j < count; ++j)
      out[j] = sinkhorn_distance<float>(clouds[k], clouds[first + j], options.transport);
  };
  distance_band all_biased{12, with_floor, 11, std::numeric_limits<double>::infinity()};
  CHECK((shortest_path(all_biased, plain.longest).nodes == plain.indices));
  for (std::size_t i = 1; i < plain.indices.size(); ++i)
    CHECK(plain.edges[i - 1] ==
          sinkhorn_distance<float>(clouds[plain.indices[i - 1]], clouds[plain.indices[i]], options.transport));
  CHECK_REFUSED(search_levels(be, fade{}, images.view(), {0.5, 0.2}, options),
                "candidate level is 0.2, but it must be finite, at least 0 and at least the one before it");
  CHECK_REFUSED(search_levels(be, fade{}, images.view(), {0.5}, options), "number of candidate levels is 1");
  CHECK_REFUSED(search_levels(be, fade{}, images.view().images(0, 1), levels, options), "number of images is 1");
  CHECK_REFUSED(search_levels(be, fade{}, images.view(), levels, few_nodes(13)), "number of nodes of the path is 13");
}

TEST_CASE("debiased edges are the distances of the clouds, and all equal where that can be", "[schedule]") {
  serial_backend be;
  const auto images = random_batch<float>(be, extent, 5);
  auto options = few_nodes(6);
  options.transport = {.regularization = 0.01, .relative = true, .tolerance = 1e-5, .rounds = 1000};
  // Levels w whose factors exp(-w) fall evenly from 1 to 0.7.
  std::vector<double> levels;
  for (int k = 0; k <= 30; ++k) levels.push_back(-std::log1p(-0.01 * k));
  const auto found = search_levels(be, scaling{}, images.view(), levels, options);
  REQUIRE(found.indices.size() == 6);
  // Scaling moves image x by (exp(-w) - exp(-w')) |x|, and 24 images of 30 normal pixels, each about 7.7 from the next,
  // are nowhere nearer to another image than to themselves: the root mean square of the moves is the exact distance.
  double sum = 0;
  const auto all = images.view();
  for (std::size_t i = 0; i < all.size(); ++i) sum += static_cast<double>(all[i]) * static_cast<double>(all[i]);
  const double norm = std::sqrt(sum / static_cast<double>(extent.images));
  // The values are sums of terms near 60 in float: their rounding, some 1e-5, is 1e-4 of an edge's square, 0.1.
  for (std::size_t i = 1; i < 6; ++i)
    CHECK_THAT(found.edges[i - 1],
               WithinRel((std::exp(-found.levels[i - 1]) - std::exp(-found.levels[i])) * norm, 1e-3));
  // Five equal steps of six candidates each.
  for (std::size_t i = 0; i < 6; ++i) CHECK(found.indices[i] == 6 * i);
}

TEST_CASE("levels between which a mask does not change make one cloud", "[schedule]") {
  serial_backend be;
  const auto images = random_batch<float>(be, extent, 3);
  // Twenty candidates, but a mask of 5 rows keeps 5, 4, 3, 2, 1 or none of them (and 6 columns take one more level).
  const auto levels = even_levels(20, 0.0, 6.0);
  const auto found = search_levels(be, centered_mask{}, images.view(), levels, few_nodes(4));
  CHECK(found.pairs <= 7 * 6 / 2 + 7);  // of seven clouds, with themselves too
  CHECK(found.indices.size() == 4);
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(std::round(found.levels[i]) > std::round(found.levels[i - 1]));
    // Among levels of one cloud all distances tie, and the lowest is taken.
    const std::size_t k = found.indices[i];
    CHECK((k == 19 || std::round(levels[k - 1]) < std::round(levels[k])));
  }
}

TEST_CASE("candidates are even, or in a constant ratio", "[schedule]") {
  const auto levels = even_levels(256, 0.0, 14.0);
  CHECK(levels.front() == 0.0);
  CHECK(levels.back() == 14.0);
  for (std::size_t i = 1; i < 256; ++i) CHECK_THAT(levels[i] - levels[i - 1], WithinAbs(14.0 / 255, 1e-14));
  const auto steep = geometric_levels(256, 0.2, 14.0);
  CHECK(steep.front() == 0.2);
  CHECK(steep.back() == 14.0);
  for (std::size_t i = 1; i < 256; ++i)
    CHECK_THAT(steep[i] / steep[i - 1], WithinRel(std::pow(70.0, 1.0 / 255), 1e-12));
  CHECK_REFUSED(geometric_levels(5, 0, 1), "first candidate level is 0, but it must be above 0");
  CHECK_REFUSED(even_levels(1, 0, 1), "number of candidate levels is 1");
  CHECK_REFUSED(even_levels(5, 2, 1), "first candidate level is 2");
}

TEST_CASE("the baseline's error keeps pace with the reference's noise", "[schedule]") {
  serial_backend be;
  const auto images = random_batch<float>(be, extent, 2);
  double square = 0;
  for (std::size_t i = 0; i < images.view().size(); ++i)
    square += std::pow(static_cast<double>(images.view()[i]), 2) / static_cast<double>(extent.images);
  const variance_exploding reference{.sigma_min = 0.01, .sigma_max = 30.0};
  const auto levels = even_levels(40, 0.0, 4.0);
  const auto table = matched_mse(be, scaling{}, images.view(), levels, 0.2, reference);
  // |(I - C_w) x|^2 = (1 - exp(-w))^2 |x|^2, so Eq. 55 holds at every tabulated time except those clamped to w_1; in
  // float.
  const double noise = 30 * 0.04;
  const auto error_at = [&](double w) { return std::pow(1 - std::exp(-w), 2) * square + noise; };
  std::size_t solved = 0;
  for (const auto& p : table.points()) {
    const double wanted =
        std::pow(reference.sigma_at(diffusion_time{p.time}) / reference.sigma_at(diffusion_time{1.0}), 2);
    if (p.level > levels.front()) {
      CHECK_THAT(error_at(p.level) / error_at(4.0), WithinRel(wanted, 1e-5));
      ++solved;
    } else {
      CHECK(error_at(0.0) / error_at(4.0) >= wanted * (1 - 1e-6));
    }
  }
  CHECK(solved == 39);
  CHECK(table.points().front().time == 0.0);
  CHECK(table.level_at(diffusion_time{1.0}).value == 4.0);
  CHECK(table.sigma_at(diffusion_time{0.3}) == 0.2);
  CHECK_REFUSED(matched_mse(be, scaling{}, images.view(), {0.0, 0.0}, 0.2, reference),
                "damage at the last level is 0, but it must be above that at the first");

  // Levels at equal steps of the reference's time: the error grows by the same factor in each. Lines between 2000
  // levels are within (1 / 500)^2 of the curve.
  const auto even = matched_mse_levels(be, scaling{}, images.view(), even_levels(2000, 0.0, 4.0), 0.2, reference, 9);
  CHECK(even.front() == 0.0);
  CHECK(even.back() == 4.0);
  for (int i = 0; i <= 8; ++i)
    CHECK_THAT(std::log(error_at(even[static_cast<std::size_t>(i)]) / error_at(0.0)),
               WithinAbs(i / 8.0 * std::log(error_at(4.0) / error_at(0.0)), 1e-4));
  CHECK_REFUSED(matched_mse_levels(be, scaling{}, images.view(), levels, 0.2, reference, 1),
                "number of levels of the baseline is 1, but it must be at least 2");

  // The baseline of a mask whose first candidates are one mask: half of the error's growth lies in half of the levels.
  const auto masked =
      matched_mse_levels(be, centered_mask{}, images.view(), even_levels(60, 0.0, 6.0), 0.1, reference, 9);
  CHECK(masked[1] > 0.5);  // rounds to another mask than the first level
  CHECK(masked.back() == 6.0);

  // Levels that round to one mask do one damage, and share its time.
  const auto masks = matched_mse(be, centered_mask{}, images.view(), even_levels(60, 0.0, 6.0), 0.1, reference);
  CHECK(masks.points().size() <= 9);
}

TEST_CASE("a tabulated schedule is made of straight lines", "[schedule]") {
  const tabulated table{{{0.0, 0.0, 0.01}, {0.25, 1.0, 0.1}, {1.0, 4.0, 0.1}}};
  CHECK(table.level_at(diffusion_time{0.125}).value == 0.5);
  CHECK(table.level_at(diffusion_time{0.25}).value == 1.0);
  CHECK(table.level_at(diffusion_time{1.0}).value == 4.0);
  CHECK_THAT(table.level_at(diffusion_time{0.5}).value, WithinAbs(2.0, 1e-15));
  CHECK_THAT(table.sigma_at(diffusion_time{0.125}), WithinAbs(0.055, 1e-16));
  CHECK(table.sigma_at(diffusion_time{0.9}) == 0.1);
  CHECK(table.level_rate_at(diffusion_time{0.1}) == 4.0);
  CHECK(table.level_rate_at(diffusion_time{0.25}) == 4.0);
  CHECK(table.level_rate_at(diffusion_time{1.0}) == 4.0);
  CHECK_THAT(table.sigma_rate_at(diffusion_time{0.0}), WithinAbs(0.36, 1e-15));
  const corruption blurring{gaussian_blur{}, table};
  CHECK(blurring.sigma(diffusion_time{1.0}) == 0.1);

  CHECK_REFUSED(tabulated({{0, 0, 0}}), "number of points of the schedule is 1, but it must be at least 2");
  CHECK_REFUSED(tabulated({{0.1, 0, 0}, {1, 1, 1}}), "first time of the schedule is 0.1, but it must be 0");
  CHECK_REFUSED(tabulated({{0, 0, 0}, {0.9, 1, 1}}), "last time of the schedule is 0.9, but it must be 1");
  CHECK_REFUSED(tabulated({{0, 0, 0}, {0.5, 1, 1}, {0.5, 1, 1}, {1, 1, 1}}), "time of the schedule is 0.5");
  CHECK_REFUSED(tabulated({{0, 2, 0}, {1, 1, 1}}), "level of the schedule is 1");
  CHECK_REFUSED(tabulated({{0, 0, 2}, {1, 1, 1}}), "sigma of the schedule is 1");
  CHECK_REFUSED(tabulated({{0, -1, 2}, {1, 1, 2}}), "level of the schedule is -1");
  CHECK_REFUSED(tabulated({{0, 0, 0}, {1, std::nan(""), 1}}), "level of the schedule is nan");
  CHECK_REFUSED(table.sigma_at(diffusion_time{-0.1}), "time is -0.1, but it must be between 0 and 1");
}

TEST_CASE("levels are spread evenly after the noise", "[schedule]") {
  const two_stage noise{.sigma_min = 0.01, .sigma_max = 0.1, .stage = 0.2};
  const tabulated table = after_noise({0.0, 0.5, 3.0, 4.0, 9.0}, noise);
  const double wanted[] = {0.0, 0.5, 3.0, 4.0, 9.0};
  for (int k = 0; k < 5; ++k) {
    CHECK_THAT(table.level_at(diffusion_time{std::min(1.0, 0.2 + 0.2 * k)}).value, WithinAbs(wanted[k], 1e-14));
    CHECK(table.sigma_at(diffusion_time{std::min(1.0, 0.2 + 0.2 * k)}) == 0.1);
  }
  CHECK(table.level_at(diffusion_time{0.15}).value == 0.0);
  // A line between two of 32 points of a function that grows tenfold: (ln 10 / 32)^2 / 8 of it too high at most.
  for (int i = 0; i <= 100; ++i) {
    const diffusion_time t{0.002 * i};
    CHECK_THAT(table.sigma_at(t), WithinRel(noise.sigma_at(t), 6.5e-4));
  }
  CHECK_REFUSED(after_noise({1.0}, noise), "number of levels is 1");
}

TEST_CASE("a schedule's file gives the same numbers back, and nothing else is one", "[schedule]") {
  const temporary_folder folder;
  const schedule_file file{tabulated{{{0.0, 0.0, 0.01}, {1.0 / 3, 0.1, 0.1}, {1.0, 14.0, 0.1}}},
                           {{"operator", "gaussian_blur"}, {"note", "a \"quoted\" word"}}};
  write_schedule(folder / "schedule.json", file);
  const auto read = read_schedule(folder / "schedule.json");
  CHECK((read.schedule.points() == file.schedule.points()));
  CHECK((read.about == file.about));
  write_schedule(folder / "bare.json", {file.schedule, {}});
  CHECK(read_schedule(folder / "bare.json").about.empty());

  const auto refused = [&](const std::string& text, const std::string& sentence) {
    const auto path = folder.put("bad.json", text);
    CHECK_REFUSED(read_schedule(path), sentence);
    CHECK_REFUSED(read_schedule(path), "bad.json: ");
  };
  const std::string head = "{\"format\": \"softscore schedule 1\", \"points\": ";
  refused("", "the text is broken at byte 0, but it must be a JSON object");
  refused("{\"format\": \"softscore sch", "the text is broken at byte 25");
  refused("[1, 2]", "the text is not that");
  refused("{\"format\": 1, \"points\": []}", "the entry \"format\" is something else");
  refused("{\"format\": \"softscore schedule 1\"}", "the entry \"points\" is missing or no list");
  refused(head + "[]}", "number of points of the schedule is 0");
  refused(head + "[[0, 0, 0], [1, 1]]}", "a point is something else");
  refused(head + "[[0, 0, 0], [1, \"1\", 0]]}", "a point is something else");
  refused(head + "[[0, 0, 0], [1, -1, 0]]}", "level of the schedule is -1");
  refused(head + "[[0, 0, 0], [1, 1e999, 0]]}", "holding a number too large for double precision at byte");
  refused(head + "[[0, 0, 0], [1, 1, 0]], \"about\": {\"a\": 1}}", "an entry of \"about\" is no text");
  refused(head + "[[0, 0, 0], [1, 1, 0]], \"about\": 3}", "the entry \"about\" is no object");

  const std::string good = head + "[[0, 0, 0], [1, 1, 0]]";
  CHECK(parse_schedule(good + "}", "text").schedule.points().size() == 2);
  CHECK(parse_schedule("\xEF\xBB\xBF" + good + "} \n", "text").about.empty());
  refused(good + "}]", "the text is broken at byte");
  refused(good + "}" + std::string(1, '\0'), "the text is broken at byte 68");
  refused(good + ", \"about\": {\"a\": \"" + std::string(1, '\0') + "\"}}", "the text is broken at byte");
  refused(good + ", \"about\": {\"\xC3(\": \"\"}}", "the text is broken at byte");
  refused(good + ", \"about\": {\"a\": \"\", \"a\": \"\"}}", "the text a of \"about\" is there twice");
  refused(good + ", \"points\": []}", "the entry \"points\" is there twice, but it must be there once");
  refused(good + ", \"format\": \"softscore schedule 1\"}", "the entry \"format\" is there twice");
  refused(good + ", \"about\": {}, \"about\": {}}", "the entry \"about\" is there twice");
  refused(head + "[[0, 0, 0], [1, 1e400, 0]]}", "holding a number too large for double precision at byte 61");
  refused(head + "[[0, 0, 0], [1, 10e308, 0]]}", "a number of a point is 10e308, but it must be one that fits");
  refused(head + "[[0, 0, 0], [1, 1e-400, 0]]}", "a number of a point is 1e-400, but it must be one that fits");
  refused(head + "[[0, 0, 0], [1, 1, 0, 0]]}", "a point is something else");
  refused(head + "[[0, 0, 0], 1]}", "a point is something else");
  refused(head + "{}}", "the entry \"points\" is missing or no list");
  refused(head + std::string(100'000, '['), "a point is something else");
  refused(std::string(100'000, '['), "the text is not that");
  refused("{\"format\": {}, \"points\": []}", "the entry \"format\" is something else");
}

TEST_CASE("entries of a schedule's file that nobody knows are skipped, however deep", "[schedule]") {
  const std::string good = "\"format\": \"softscore schedule 1\", \"points\": [[0, 0, 0], [1, 1, 0]]}";
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& more : {std::string{"[1, [true], {\"points\": {\"format\": null}}]"}, std::string{"{}"},
                                  std::string{"null"}, std::string{"\"text\""}, std::string{"-1.5e3"}, deep}) {
    const auto read = parse_schedule("{\"more\": " + more + ", \"more\": " + more + ", " + good, "text");
    CHECK(read.schedule.points().size() == 2);
    CHECK(read.about.empty());
  }
}

TEST_CASE("a schedule's text is fixed to the byte", "[schedule]") {
  const double third = 1.0 / 3;
  const schedule_file file{tabulated{{{0.0, 0.0, 1e-300}, {1e-5, 1e-4, 0.1}, {third, 1e14, 0.1}, {1.0, 1e15, 1.25e20}}},
                           {{"a", "quote \" backslash \\ \b\f\n\r\t\x1F\x7F/ \xC3\xA9"}, {"b", ""}}};
  const std::string text = R"({
  "format": "softscore schedule 1",
  "about": {
    "a": "quote \" backslash \\ \b\f\n\r\t\u001f)"
                           "\x7F/ \xC3\xA9"
                           R"(",
    "b": ""
  },
  "points": [
    [0.0,0.0,1e-300],
    [1e-05,0.0001,0.1],
    [0.3333333333333333,100000000000000.0,0.1],
    [1.0,1e+15,1.25e+20]
  ]
}
)";
  CHECK(schedule_text(file) == text);
  const foreign_locale german;  // which changes nothing, here and below
  CHECK(schedule_text(file) == text);
  const auto read = parse_schedule(text, "text");
  CHECK((read.schedule.points() == file.schedule.points()));
  CHECK((read.about == file.about));
  CHECK_THAT(schedule_text({file.schedule, {}}), Catch::Matchers::ContainsSubstring("\"about\": {},\n  \"points\": ["));
  for (const char* const wrong : {"\xFF", "a\xF0\x9F", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"})
    CHECK_REFUSED(schedule_text({file.schedule, {{"a", wrong}}}), "a text about the schedule is");
}

TEST_CASE("a search says how far its transports are from converged, and names an image that is not finite",
          "[schedule]") {
  serial_backend be;
  auto images = random_batch<float>(be, extent, 3);
  const auto levels = even_levels(6, 0.0, 2.0);
  auto options = few_nodes(3);
  const auto found = search_levels(be, fade{}, images.view(), levels, options);
  CHECK(found.unfinished == 0);
  CHECK(found.marginal_error <= options.transport.tolerance);
  options.transport.rounds = 1;
  options.transport.regularization = 1e-4;
  const auto rough = search_levels(be, fade{}, images.view(), levels, options);
  CHECK(rough.unfinished > 0);
  CHECK(rough.marginal_error > options.transport.tolerance);
  images.view()[extent.per_image() + 4] = std::numeric_limits<float>::quiet_NaN();
  CHECK_REFUSED(search_levels(be, fade{}, images.view(), levels, options),
                "element 4 of image 1 of the set is nan, but it must be finite");
  CHECK_REFUSED(damages_of(be, fade{}, images.view(), {0.5}), "the damage to image 1 at level 0.5 is nan");
}
