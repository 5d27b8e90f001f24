// The path of the schedule search (Daras et al. 2022, Appendix C): reference nodes and lengths (own derivation), all
// paths of 12 nodes by brute force, ties, a number of nodes that is not monotone in the largest edge, and how little is
// evaluated.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <softscore/schedule/shortest_path.hpp>

#include "printed.hpp"
#include "refusal.hpp"
#include "slope.hpp"

using namespace softscore;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

using indices = std::vector<std::size_t>;
constexpr double everything = std::numeric_limits<double>::infinity();

// A band over d(k, l).
template <class D>
auto band_of(std::size_t nodes, D d, std::size_t chunk = 3, double slack = everything) {
  const auto row = [d](std::size_t k, std::size_t first, std::size_t count, double* out) {
    for (std::size_t j = 0; j < count; ++j) out[j] = d(k, first + j);
  };
  return distance_band{nodes, row, chunk, slack};
}

// Data of variances 4, 1, .25 under gains exp(-rate w^2 / 2), rates .05, .4, 2, and noise .1; the distance is that of
// the deviations.
double v8_distance(std::size_t k, std::size_t l) {
  const double variances[] = {4, 1, 0.25}, rates[] = {0.05, 0.4, 2};
  double sum = 0;
  for (int i = 0; i < 3; ++i) {
    const auto deviation = [&](std::size_t node) {
      const double w = 0.25 * static_cast<double>(node), gain = std::exp(-rates[i] * w * w / 2);
      return std::sqrt(gain * gain * variances[i] + 0.01);
    };
    sum += std::pow(deviation(k) - deviation(l), 2);
  }
  return std::sqrt(sum);
}

const auto shortest = [](auto& distances, double longest) { return shortest_path(distances, longest); };
auto most_even(std::size_t nodes) {
  return [nodes](auto& distances, double longest) { return even_path(distances, longest, nodes); };
}

// Every rising path from 0 to n - 1 with edges at most `longest`.
template <class D>
std::vector<node_path> all_paths(std::size_t n, D d, double longest) {
  std::vector<node_path> all;
  for (std::size_t set = 0; set < (std::size_t{1} << (n - 2)); ++set) {
    node_path path{{0}, 0};
    bool fits = true;
    for (std::size_t i = 1; i < n; ++i) {
      if (i + 1 < n && (set >> (i - 1) & 1) == 0) continue;
      const double edge = d(path.nodes.back(), i);
      fits = fits && edge <= longest;
      path.length += edge;
      path.nodes.push_back(i);
    }
    if (fits) all.push_back(path);
  }
  return all;
}

// The best of them by the rule of `shortest_path`.
template <class D>
node_path by_force(std::size_t n, D d, double longest) {
  const auto all = all_paths(n, d, longest);
  node_path best;
  double least = everything;
  for (const auto& path : all) least = std::min(least, path.length);
  for (const auto& path : all) {
    if (path.length > least * (1 + 1e-9)) continue;
    if (best.nodes.empty() || path.nodes.size() < best.nodes.size() ||
        (path.nodes.size() == best.nodes.size() && path.nodes < best.nodes))
      best = path;
  }
  return best;
}

}  // namespace

TEST_CASE("Gaussian modes have the reference paths", "[schedule]") {
  auto distances = band_of(17, v8_distance);
  CHECK_THAT(v8_distance(0, 16), as_printed("1.18565040941"));
  const auto fine = shortest_path(distances, 0.4), coarse = shortest_path(distances, 0.6);
  CHECK((fine.nodes == indices{0, 3, 6, 10, 15, 16}));
  CHECK_THAT(fine.length, as_printed("1.37091987839"));
  CHECK((coarse.nodes == indices{0, 1, 7, 8, 16}));
  CHECK_THAT(coarse.length, as_printed("1.31709916384"));
  const auto along = [](const indices& nodes) {
    double length = 0;
    for (std::size_t i = 1; i < nodes.size(); ++i) length += v8_distance(nodes[i - 1], nodes[i]);
    return length;
  };
  CHECK_THAT(fine.length, WithinAbs(along({0, 3, 6, 10, 15, 16}), 1e-12));
  CHECK_THAT(coarse.length, WithinAbs(along({0, 1, 7, 8, 16}), 1e-12));
  CHECK((shortest_path(distances, 2.0).nodes == indices{0, 16}));
  // Squares satisfy no triangle inequality, so that on a path of squares every node pays, whatever E is.
  auto squares = band_of(17, [](std::size_t k, std::size_t l) { return std::pow(v8_distance(k, l), 2); });
  for (const double longest : {0.4 * 0.4, 0.6 * 0.6, 4.0}) CHECK(shortest_path(squares, longest).nodes.size() == 17);
}

TEST_CASE("a larger edge may lead to more nodes", "[schedule]") {
  // The number of nodes is therefore found by a scan; halving an interval may pass it by. On the reference distances it
  // rises from 5 to 6, as all paths by force say too.
  auto distances = band_of(17, v8_distance);
  const auto shorter = shortest_path(distances, 0.37), longer = shortest_path(distances, 0.39);
  CHECK(shorter.nodes.size() < longer.nodes.size());
  CHECK((shorter.nodes == by_force(17, v8_distance, 0.37).nodes));
  CHECK((longer.nodes == by_force(17, v8_distance, 0.39).nodes));
}

TEST_CASE("the path is the best of all paths of 12 nodes", "[schedule]") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    // Distances of points in a plane that drift away, so that detours pay; every third set is rounded to make ties.
    const auto numbers = normal_numbers(24, seed);
    const auto d = [&](std::size_t k, std::size_t l) {
      const double x = numbers[2 * k] - numbers[2 * l] + static_cast<double>(l - k);
      const double y = numbers[2 * k + 1] - numbers[2 * l + 1];
      const double distance = std::hypot(x, y);
      return seed % 3 == 0 ? std::ceil(2 * distance) / 2 : distance;
    };
    for (const double longest : {1.0, 1.5, 2.0, 3.0, 5.0, 30.0}) {
      auto distances = band_of(12, d);
      const auto found = shortest_path(distances, longest), wanted = by_force(12, d, longest);
      CHECK((found.nodes == wanted.nodes));
      CHECK_THAT(found.length, WithinRel(wanted.length, 1e-12));

      // The most even path of n nodes: no other has a smaller sum of squares.
      const auto squares = [&](const node_path& path) {
        double sum = 0;
        for (std::size_t i = 1; i < path.nodes.size(); ++i) sum += std::pow(d(path.nodes[i - 1], path.nodes[i]), 2);
        return sum;
      };
      const auto all = all_paths(12, d, longest);
      for (const std::size_t nodes : {2u, 5u, 9u, 12u}) {
        const auto even = even_path(distances, longest, nodes);
        CHECK(even.nodes.size() <= nodes);
        if (!even.nodes.empty()) {
          const auto same = [&](const node_path& path) { return path.nodes == even.nodes; };
          const auto at = std::find_if(all.begin(), all.end(), same);
          REQUIRE(at != all.end());
          CHECK_THAT(even.length, WithinRel(at->length, 1e-12));
        }
        for (const auto& path : all) {
          if (path.nodes.size() > nodes || path.nodes.size() < even.nodes.size()) continue;
          const bool beaten = path.nodes.size() > even.nodes.size() || squares(path) < squares(even) * (1 - 1e-12);
          if (beaten) FAIL_CHECK("a path of " << path.nodes.size() << " nodes is better");
        }
      }
    }
  }
}

TEST_CASE("even steps are found where distances add up, and where small steps count for less", "[schedule]") {
  const auto watch = [](double, const node_path&) {};
  const auto line = [](std::size_t k, std::size_t l) { return static_cast<double>(l - k); };
  auto straight = band_of(61, line);
  CHECK(
      (path_of_nodes(straight, 7, line(0, 60), most_even(7), watch).path.nodes == indices{0, 10, 20, 30, 40, 50, 60}));
  // Nodes that are one are not counted twice, and where fewer are left than asked for all of them are taken.
  auto steps = band_of(61, [](std::size_t k, std::size_t l) { return static_cast<double>(l / 10 - k / 10); });
  CHECK((path_of_nodes(steps, 20, 6.0, most_even(20), watch).path.nodes.size() == 7));
  // A power above 1 is no metric, a power below 1 is one with a short direct way: equal steps are the answer to both.
  for (const double power : {0.7, 1.4}) {
    const auto bent = [&](std::size_t k, std::size_t l) { return std::pow(static_cast<double>(l - k), power); };
    auto distances = band_of(61, bent);
    CHECK((path_of_nodes(distances, 7, bent(0, 60), most_even(7), watch).path.nodes ==
           indices{0, 10, 20, 30, 40, 50, 60}));
  }
}

TEST_CASE("ties are broken by fewest edges, then by the lowest node", "[schedule]") {
  // Additive distances with rounding of their own: every path is as long as every other.
  const auto additive = [](std::size_t k, std::size_t l) {
    const auto place = [](std::size_t i) { return 0.1 * static_cast<double>(i); };
    return (place(l) - place(k)) * (1 + 1e-13 * static_cast<double>((7 * k + 3 * l) % 5));
  };
  auto distances = band_of(12, additive);
  CHECK((shortest_path(distances, 5.0).nodes == indices{0, 11}));
  // Two edges of at most .6: 0, 5, 11 or 0, 6, 11.
  CHECK((shortest_path(distances, 0.6 + 1e-9).nodes == indices{0, 5, 11}));
  CHECK((shortest_path(distances, 0.4 + 1e-9).nodes == indices{0, 3, 7, 11}));
}

TEST_CASE("below the longest edge that must be crossed there is no path", "[schedule]") {
  const auto gap = [](std::size_t k, std::size_t l) {
    return static_cast<double>(l - k) + (k < 5 && l >= 5 ? 10.0 : 0.0);
  };
  auto distances = band_of(10, gap, 1, 1.0);
  CHECK(shortest_path(distances, 10.5).nodes.empty());
  // Nodes behind the gap are not evaluated: five rows of at most nine.
  CHECK(distances.pairs() <= 35);
  CHECK((shortest_path(distances, 11.0).nodes == indices{0, 4, 5, 9}));
}

TEST_CASE("the largest edge is tuned to a number of nodes", "[schedule]") {
  std::size_t looks = 0;
  const auto watch = [&](double, const node_path&) { ++looks; };
  const auto line = [](std::size_t k, std::size_t l) {
    return std::sqrt(static_cast<double>(l)) - std::sqrt(static_cast<double>(k));
  };
  auto distances = band_of(200, line, 4, 1.1);
  const auto tuned = path_of_nodes(distances, 9, line(0, 199), shortest, watch);
  CHECK(tuned.path.nodes.size() == 9);
  CHECK(looks >= 1);
  // A line is additive: the shortest path is as long as the line, and no edge longer than E.
  CHECK_THAT(tuned.path.length, WithinRel(line(0, 199), 1e-12));
  for (std::size_t i = 1; i < 9; ++i) CHECK(line(tuned.path.nodes[i - 1], tuned.path.nodes[i]) <= tuned.longest);
  // Evaluated are rows up to slack E = 1.1 sqrt(199) / 8 or so, of 19900 pairs.
  CHECK(distances.pairs() < 13000);
  CHECK(distances.width() < 199);
  // An E of .6 gives five. A number that no E gives has the nearest instead, as where a short cut is always shorter.
  auto modes = band_of(17, v8_distance);
  CHECK(path_of_nodes(modes, 5, v8_distance(0, 16), shortest, watch).path.nodes.size() == 5);
  auto three = band_of(3, [](std::size_t k, std::size_t l) { return l - k == 2 ? 2.0 : 1.5; });
  CHECK(path_of_nodes(three, 2, 2.0, shortest, watch).path.nodes.size() == 2);
  // One edge of 3 that every path must cross: E below it is blocked, and nine nodes are out of reach.
  auto gap = band_of(10, [](std::size_t k, std::size_t l) {
    return 0.1 * static_cast<double>(l - k) + (k < 5 && l >= 5 ? 2.9 : 0.0);
  });
  const auto beyond = path_of_nodes(gap, 9, 3.8, shortest, watch);
  CHECK(beyond.blocked < 3.0);
  CHECK(beyond.longest >= 3.0);
  CHECK((beyond.path.nodes == indices{0, 4, 5, 9}));
  auto short_cut = band_of(3, [](std::size_t k, std::size_t l) { return l - k == 2 ? 1.0 : 1.5; });
  CHECK((path_of_nodes(short_cut, 3, 1.0, shortest, watch).path.nodes == indices{0, 2}));
  // Squares take every node whatever E is: the scan ends with them all.
  auto squares = band_of(17, [](std::size_t k, std::size_t l) { return std::pow(v8_distance(k, l), 2); });
  CHECK(path_of_nodes(squares, 5, std::pow(v8_distance(0, 16), 2), shortest, watch).path.nodes.size() == 17);
  CHECK_REFUSED(path_of_nodes(modes, 1, 1.0, shortest, watch), "number of nodes of the path is 1");
  CHECK_REFUSED(path_of_nodes(modes, 18, 1.0, shortest, watch), "number of nodes of the path is 18");
  CHECK_REFUSED(path_of_nodes(modes, 4, 0.0, shortest, watch),
                "distance of the ends is 0, but it must be above 0 and finite");
}

TEST_CASE("a distance that is not a number is refused where it is met", "[schedule]") {
  const auto row = [](std::size_t k, std::size_t first, std::size_t count, double* out) {
    for (std::size_t j = 0; j < count; ++j) out[j] = k == 1 && first + j == 3 ? std::nan("") : 1.0;
  };
  distance_band band{5, row};
  CHECK_REFUSED(shortest_path(band, 10.0), "the distance from node 1 to node 3 is nan, but it must be a number");
}
